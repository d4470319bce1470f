"""One HTTP/2 connection of the server: grpclib's, with what grpclib leaves out.

Why this file exists: grpclib has no graceful GOAWAY, closes a connection on frames that it does not
know and on a polite GOAWAY of the client, and advertises at most 100 streams. The rules of HTTP/2
stay with h2; this file must know nothing of gRPC messages or methods.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from functools import partial
from typing import TYPE_CHECKING, cast

from grpclib import protocol
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import PingAckReceived, RequestReceived
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from srd.daemon.grpc_messages import MessageBuffer

if TYPE_CHECKING:
    from collections.abc import Callable

    from grpclib.config import Configuration
    from h2.events import Event
    from hyperframe.frame import Frame

log = logging.getLogger(__name__)

NO_STREAM_REFUSED = 2**31 - 1
_GOAWAY_PING = b"srd-away"
_H2_CONFIG = H2Configuration(
    client_side=False,
    header_encoding="ascii",
    validate_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_inbound_headers=False,
    normalize_outbound_headers=False,
)


class ServerStream(protocol.Stream):
    """One HTTP/2 stream: grpclib's, with a bounded buffer of messages."""

    buffer: MessageBuffer  # type: ignore[assignment] # same shape, whole messages
    terminated = False
    number = 0

    def init_stream(self, stream_id: int, connection: protocol.Connection) -> None:
        """Called by grpclib's constructor once the stream has its number."""
        super().init_stream(stream_id, connection)
        self.number = stream_id
        limit = cast("ServerConnection", connection).max_message_bytes
        self.buffer = MessageBuffer(partial(connection.ack, stream_id), limit)

    def __terminated__(self, reason: str) -> None:
        """Called by grpclib when the peer reset the stream or the connection is gone."""
        self.terminated = True
        self.window_updated.set()  # a sender that waits for the window must see it


class _H2Connection(H2Connection):
    """h2's connection, except that a polite GOAWAY of the client does not end it.

    To a server it says only that no pushed streams are wanted; h2 would refuse to send anything
    on the streams that are still open.
    """

    def __init__(self) -> None:
        super().__init__(config=_H2_CONFIG)
        self._frame_dispatch_table[GoAwayFrame] = self._goaway_received

    def _goaway_received(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        if frame.error_code == ErrorCodes.NO_ERROR:
            return [], []
        return self._receive_goaway_frame(frame)


class ServerConnection(protocol.Connection):
    """grpclib's connection, creating our streams."""

    max_message_bytes = 0

    def create_stream(
        self, *, stream_id: int | None = None, wrapper: object = None
    ) -> ServerStream:
        """A stream for an incoming request."""
        return ServerStream(self, self._connection, self._transport, stream_id=stream_id)


class ServerEvents(protocol.EventsProcessor):
    """grpclib's dispatch of h2 events, tolerant of those that it does not know."""

    def process(self, event: object) -> None:
        """Act on one event; events without meaning for a server are ignored."""
        processors = getattr(self, "processors", None)  # deleted when the connection closes
        action = processors.get(type(event)) if processors else None
        if action is not None:
            action(event)


class ServerProtocol(protocol.H2Protocol):
    """One accepted connection.

    `on_open` and `on_close` are called with this object when the connection stands (after the
    TLS handshake) and when it is lost.
    """

    connection: ServerConnection

    def __init__(
        self,
        handler: protocol.AbstractHandler,
        config: Configuration,
        *,
        max_message_bytes: int,
        max_concurrent_streams: int,
        on_open: Callable[[ServerProtocol], None],
        on_close: Callable[[ServerProtocol], None],
    ) -> None:
        super().__init__(handler, config, _H2_CONFIG)
        self._max_message_bytes = max_message_bytes
        self._max_concurrent_streams = max_concurrent_streams
        self._on_open = on_open
        self._on_close = on_close
        self._last_stream_id = 0
        self._refuse_above = NO_STREAM_REFUSED
        self._away_answered: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        live = len(self.processor.streams) if hasattr(self, "processor") else 0
        return f"<ServerProtocol {live} live streams, last {self._last_stream_id}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the peer with our settings: one SETTINGS frame, one WINDOW_UPDATE."""
        sock = transport.get_extra_info("socket")
        if sock is not None:
            protocol._set_nodelay(sock)
        h2_connection = _H2Connection()
        h2_connection.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.INITIAL_WINDOW_SIZE: self.config.http2_stream_window_size,
                SettingCodes.MAX_CONCURRENT_STREAMS: self._max_concurrent_streams,
                SettingCodes.MAX_HEADER_LIST_SIZE: H2Connection.DEFAULT_MAX_HEADER_LIST_SIZE,
                SettingCodes.ENABLE_PUSH: 0,
            },
        )
        h2_connection.initiate_connection()
        opened = self.config.http2_connection_window_size - 65_535
        if opened > 0:
            h2_connection.increment_flow_control_window(opened)
        self.connection = ServerConnection(
            h2_connection, cast("asyncio.Transport", transport), config=self.config
        )
        self.connection.max_message_bytes = self._max_message_bytes
        self.connection.flush()
        self.connection.initialize()
        self.processor = ServerEvents(self.handler, self.connection)
        self.processor.processors[RequestReceived] = self._request_received
        self.processor.processors[PingAckReceived] = self._ping_ack_received
        self._on_open(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The peer or the server closed: handlers are cancelled."""
        self._away_done()
        super().connection_lost(exc)
        self._on_close(self)

    @property
    def live_streams(self) -> int:
        """Streams whose handler has not returned."""
        return len(self.processor.streams)

    def _request_received(self, event: RequestReceived) -> None:
        if event.stream_id > self._refuse_above:
            self.connection._connection.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
            self.connection.flush()
            return
        self._last_stream_id = max(self._last_stream_id, event.stream_id)
        self.processor.process_request_received(event)

    def _ping_ack_received(self, event: PingAckReceived) -> None:
        if event.ping_data == _GOAWAY_PING:
            self._away_done()
        else:
            self.processor.process_ping_ack_received(event)

    def _away_done(self) -> None:
        if self._away_answered is not None and not self._away_answered.done():
            self._away_answered.set_result(None)

    async def go_away(self, patience: float) -> None:
        """Tell the peer to open no further stream, without losing one that is under way.

        GOAWAY with the highest number first, a PING, and when that is answered (or `patience`
        seconds have passed) GOAWAY with the last stream that was accepted (RFC 9113, 6.8).
        Written past h2, which would refuse to send anything after its own GOAWAY.
        """
        if self.connection.is_closing():
            return
        self._away_answered = asyncio.get_running_loop().create_future()
        self._write_goaway(NO_STREAM_REFUSED)
        self.connection._connection.ping(_GOAWAY_PING)
        self.connection.flush()
        await asyncio.wait([self._away_answered], timeout=patience)
        if not self.connection.is_closing():
            self._refuse_above = self._last_stream_id
            self._write_goaway(self._last_stream_id)

    def _write_goaway(self, last_stream_id: int) -> None:
        payload = struct.pack("!II", last_stream_id, ErrorCodes.NO_ERROR)
        header = len(payload).to_bytes(3, "big") + b"\x07\x00" + bytes(4)
        self.connection._transport.write(header + payload)

    def close(self) -> None:
        """Close the connection; what was written is still sent."""
        if not self.connection.is_closing():
            self.connection._transport.close()
