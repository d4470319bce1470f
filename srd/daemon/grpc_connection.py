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
from h2.events import DataReceived, PingAckReceived, RequestReceived, TrailersReceived
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from srd.daemon.grpc_messages import MessageBuffer
from srd.daemon.grpc_shortcuts import AVAILABLE, Shortcuts
from srd.daemon.grpc_transport import CoalescingTransport

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


class _Room:
    """In the place of grpclib's event: told that windows grew, it wakes who waits for that."""

    def __init__(self, stream: ServerStream) -> None:
        self._stream = stream

    def set(self) -> None:
        """The stream may be able to send more."""
        if self._stream in self._stream.connection.blocked:
            self._stream.may_send()


def _nobody() -> None:
    """Nobody waits for room yet."""


class ServerStream(protocol.Stream):
    """One HTTP/2 stream: grpclib's, with a bounded buffer of messages.

    `on_room` is called when a stream in `connection.blocked` may send again, and when the stream
    is lost.
    """

    connection: ServerConnection
    buffer: MessageBuffer  # type: ignore[assignment] # same shape, whole messages
    terminated = False

    def __init__(self, connection: ServerConnection, stream_id: int) -> None:
        # Instead of the parent's: half of its fields belong to a client.
        self.connection = connection
        self._h2_connection = connection._connection
        self._transport = connection._transport
        self.id = self.number = stream_id
        self.wrapper = None
        self.window_updated = _Room(self)  # type: ignore[assignment] # as far as grpclib asks
        self.on_room: Callable[[], None] = _nobody
        self.owed = 0  # bytes of its window to give back with the next WINDOW_UPDATE
        self.buffer = MessageBuffer(partial(connection.credit, self), connection.max_message_bytes)

    def __terminated__(self, reason: str) -> None:
        """Called by grpclib when the peer reset the stream or the connection is gone."""
        self.terminated = True
        self.connection.blocked.pop(self, None)
        self.may_send()  # a sender that waits for the window must see it

    def may_send(self) -> None:
        """Wake who waits for room; a fault in that is this stream's and no other's."""
        try:
            self.on_room()
        except Exception as error:
            self.buffer.fail(error)


class _H2Connection(H2Connection):
    """h2's connection, gentler in two cases.

    A polite GOAWAY of the client does not end it: to a server it says only that no pushed streams
    are wanted, but h2 would refuse to send anything on the streams that are open. And a stream over
    the announced number is not h2's business: a client may open one before it has read our
    settings, and h2 would end the connection and with it all other streams (see ServerProtocol).
    """

    def __init__(self) -> None:
        super().__init__(config=_H2_CONFIG)
        self._frame_dispatch_table[GoAwayFrame] = self._goaway_received
        self._look_through_at = 64

    def _open_streams(self, remainder: int) -> int:
        """Never more than h2 accepts; forgets closed streams when their number has doubled.

        h2 looks through all its streams at each request.
        """
        if len(self.streams) >= self._look_through_at:
            super()._open_streams(remainder)
            self._look_through_at = 2 * len(self.streams) + 64
        return 0

    def _goaway_received(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        if frame.error_code == ErrorCodes.NO_ERROR:
            return [], []
        return self._receive_goaway_frame(frame)


class ServerConnection(protocol.Connection):
    """grpclib's connection, creating our streams.

    The connection's window is given back at receipt, a stream's when its message is dealt with:
    a stream that nobody reads holds up itself and no other. Both in steps, so that not every
    message costs a WINDOW_UPDATE. `shortcuts` is None where every frame goes through h2.
    """

    max_message_bytes = 0
    shortcuts: Shortcuts | None = None

    def __init__(
        self, connection: H2Connection, transport: asyncio.Transport, *, config: Configuration
    ) -> None:
        super().__init__(connection, transport, config=config)
        self.blocked: dict[ServerStream, None] = {}  # who waits to send, the longest first
        self.owed = 0  # bytes of the window to give back with the next WINDOW_UPDATE
        # h2 itself gives back what comes for closed streams when that is half of the window.
        self._step = config.http2_connection_window_size // 4
        self._stream_step = config.http2_stream_window_size // 2

    def create_stream(
        self, *, stream_id: int | None = None, wrapper: object = None
    ) -> ServerStream:
        """A stream for an incoming request."""
        assert stream_id is not None
        return ServerStream(self, stream_id)

    # -- receiving -------------------------------------------------------------------------------

    def received(self, stream: ServerStream | None, data: bytes | memoryview, size: int) -> None:
        """DATA of `size` flow-controlled bytes came, for nobody when `stream` is None."""
        self.owed += size
        if self.owed >= self._step:
            self._give_back(None)
        if stream is not None:
            try:
                stream.buffer.add(data, size)
            except Exception as error:  # its stream's, not that of all others
                stream.buffer.fail(error)

    def credit(self, stream: ServerStream, size: int) -> None:
        """`size` bytes of the stream's window are free again."""
        stream.owed += size
        if stream.owed >= self._stream_step and not stream.buffer.ended:
            self._give_back(stream)

    def _give_back(self, stream: ServerStream | None) -> None:
        if self.is_closing() or (stream is not None and not stream.closable):
            return  # nobody needs it any more
        owner = self if stream is None else stream
        owed, owner.owed = owner.owed, 0
        if stream is not None and self.shortcuts and self.shortcuts.give_back(stream.number, owed):
            return
        try:
            number = None if stream is None else stream.number
            self._connection.increment_flow_control_window(owed, number)
        except ProtocolError:
            log.debug("no credit for what is over", exc_info=True)
        else:
            self.flush()

    # -- sending ---------------------------------------------------------------------------------

    def resume_writing(self) -> None:
        """The socket takes more."""
        super().resume_writing()
        self.room()

    def room(self) -> None:
        """All streams may be able to send more."""
        for stream in list(self.blocked):
            stream.may_send()

    def send_data(self, stream: ServerStream, prefix: bytes, data: bytes | memoryview) -> int:
        """Send `prefix` and `data` as far as the windows and the socket reach; how many bytes.

        0: the stream is among the blocked, `on_room` tells when to try again. ProtocolError when
        the stream cannot send.
        """
        sent = self._send_some(stream, prefix, data) if self.write_ready.is_set() else 0
        if self.blocked:
            self.blocked.pop(stream, None)
        if not sent:
            self.blocked[stream] = None
        return sent

    def _send_some(self, stream: ServerStream, prefix: bytes, data: bytes | memoryview) -> int:
        self.ping_count_in_sequence = 0
        if self.shortcuts is not None:
            sent = self.shortcuts.send(stream.number, prefix, data)
            if sent >= 0:
                return sent
        h2 = self._connection
        window = min(h2.local_flow_control_window(stream.number), h2.max_outbound_frame_size)
        if window <= 0:
            return 0
        frame = b"".join((prefix, data[: max(0, window - len(prefix))]))[:window]
        h2.send_data(stream.number, frame)
        self.flush()
        return len(frame)

    def send_headers_now(self, stream: ServerStream, block: bytes, *, end_stream: bool) -> bool:
        """Send headers that are a constant (see header_block) past h2, if that can be done."""
        if self.shortcuts is None:
            return False
        self.ping_count_in_sequence = 0
        return self.shortcuts.send_headers(stream.number, block, end_stream=end_stream)

    def send_headers(
        self, stream: ServerStream, headers: list[tuple[str, str]], *, end_stream: bool
    ) -> None:
        """Send any headers, whether or not the socket takes more: a stream has two of them.

        ProtocolError when the stream cannot send.
        """
        if stream.number not in self._connection.streams:
            raise StreamClosedError(stream.number)  # h2 would open a new one
        self.ping_count_in_sequence = 0
        self._connection.send_headers(stream.number, headers, end_stream=end_stream)
        self.flush()

    def break_off(self, stream: ServerStream) -> None:
        """The stream could not be ended as it should: reset it, or lose the connection."""
        try:
            if stream.closable:
                self._connection.reset_stream(stream.number, ErrorCodes.INTERNAL_ERROR)
                self.flush()
        except Exception:
            log.exception("a stream could not be reset")
            stream._transport.abort()


class ServerEvents(protocol.EventsProcessor):
    """grpclib's dispatch of h2 events, tolerant of those that it does not know."""

    connection: ServerConnection

    def register(self, stream: protocol.Stream) -> Callable[[], None]:
        """Keep a stream until the returned function is called. Nothing is credited then: what
        was not read was given back to the connection at receipt, and the stream is over."""
        assert isinstance(stream, ServerStream)
        self.streams[stream.number] = stream

        def release() -> None:
            del self.streams[stream.number]
            self.connection.blocked.pop(stream, None)

        return release

    def process_data_received(self, event: DataReceived) -> None:
        """DATA that went through h2."""
        stream = cast("ServerStream | None", self.streams.get(event.stream_id))
        self.connection.received(stream, event.data, event.flow_controlled_length)

    def process(self, event: object) -> None:
        """Act on one event; events without meaning for a server are ignored."""
        if type(event) is TrailersReceived:
            return  # gRPC has none in this direction; their end of stream is an event of its own
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
        shortcuts: bool,
        on_open: Callable[[ServerProtocol], None],
        on_close: Callable[[ServerProtocol], None],
    ) -> None:
        super().__init__(handler, config, _H2_CONFIG)
        self._max_message_bytes = max_message_bytes
        self._max_concurrent_streams = max_concurrent_streams
        self._shortcuts = shortcuts and AVAILABLE
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
        writer = cast("asyncio.Transport", transport)
        if self._shortcuts:
            writer = cast("asyncio.Transport", CoalescingTransport(writer))
        self.connection = ServerConnection(h2_connection, writer, config=self.config)
        self.connection.max_message_bytes = self._max_message_bytes
        self.connection.flush()
        self.connection.initialize()
        self.processor = ServerEvents(self.handler, self.connection)
        self.processor.processors[RequestReceived] = self._request_received
        self.processor.processors[PingAckReceived] = self._ping_ack_received
        if isinstance(writer, CoalescingTransport):
            self.connection.shortcuts = Shortcuts(
                h2_connection,
                writer,
                cast("dict[int, ServerStream]", self.processor.streams),
                self._feed,
                received=self.connection.received,
                room=self.connection.room,
            )
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer; a peer that breaks the protocol is told so before the close."""
        shortcuts = self.connection.shortcuts
        try:
            if shortcuts is None:
                self._feed(data)
            else:
                shortcuts.receive(data)
        except ProtocolError:
            log.debug("protocol error", exc_info=True)
            self.connection.flush()
            self.processor.close("Protocol error")

    def _feed(self, data: bytes | memoryview) -> None:
        """What h2 shall see, and what follows from it; nothing more once the end was decided."""
        if self.connection.is_closing():
            return
        events = self.connection._connection.receive_data(data)
        self.connection.flush()
        for event in events:
            self.processor.process(event)
        if not self.connection.is_closing():
            self.connection.flush()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The peer or the server closed: handlers are cancelled."""
        self._away_done()
        super().connection_lost(exc)
        self._on_close(self)

    def _request_received(self, event: RequestReceived) -> None:
        if event.stream_id > self._refuse_above or self._too_many(event.stream_id):
            # The client may try it again elsewhere: nothing has been done (RFC 9113, 8.7).
            self.connection._connection.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
            self.connection.flush()
            return
        self._last_stream_id = max(self._last_stream_id, event.stream_id)
        self.processor.process_request_received(event)

    def _too_many(self, stream_id: int) -> bool:
        """Whether as many streams as were announced are open besides this one.

        Open as HTTP/2 means it: a client that has reset a stream may at once open another, while
        the handler of the first is still cleaning up.
        """
        streams = self.connection._connection.streams
        if len(streams) <= self._max_concurrent_streams:
            return False
        before = sum(stream.open for number, stream in streams.items() if number < stream_id)
        return before >= self._max_concurrent_streams

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
