"""One gRPC call as its handler sees it: bytes in, bytes out.

Why this file exists: the server hands out raw messages, so that the codec decides what is decoded
and when. It must not know which method is called nor what a message contains.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.metadata import encode_grpc_message
from h2.exceptions import ProtocolError as H2ProtocolError

from srd.daemon.bell import Bell
from srd.daemon.grpc_messages import ACCEPTED_ENCODINGS, message_prefix
from srd.daemon.grpc_shortcuts import header_block

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from srd.daemon.grpc_connection import ServerStream

log = logging.getLogger(__name__)

__all__ = ["GRPCError", "ProcessStream", "Status", "StreamClosedError"]

_INITIAL = [
    (":status", "200"),
    ("content-type", "application/grpc"),
    ("grpc-accept-encoding", ACCEPTED_ENCODINGS),
]
_INITIAL_BLOCK = header_block(_INITIAL)
_OK_BLOCK = header_block([("grpc-status", "0")])
_NOTHING: bytes | memoryview = b""


class StreamClosedError(Exception):
    """The stream cannot carry anything more: the peer reset it, or it was ended here.

    The task that the server started for the handler is cancelled in the first case; other tasks
    that send see this error. It is a normal end, not a fault.
    """


class ProcessStream:
    """The stream of one call.

    Either one task takes, writes and listens (srd.daemon.mailbox says how), or `recv` is awaited
    by one task and `send` by any number: a message is never mixed with another one.
    Cancellation of the handler (CancelledError) means that the peer is gone.
    """

    def __init__(self, stream: ServerStream, headers: Sequence[tuple[str, str]]) -> None:
        self._stream = stream
        self._buffer = stream.buffer
        self._headers = headers
        self._sending = asyncio.Lock()
        self._arrival, self._room = Bell(), Bell()
        self._buffer.on_ready, stream.on_room = self._arrival.ring, self._room.ring
        self._prefix, self._rest = b"", _NOTHING  # of the message that is on its way
        self.unsent = 0  # bytes of it that have not left
        self._started = False
        self._broken = False
        self.ended = False

    def __repr__(self) -> str:
        state = "ended" if self.ended else "open"
        return (
            f"<ProcessStream {self._stream.number} {state} from {self.peer} {self._stream.buffer}>"
        )

    @property
    def metadata(self) -> Mapping[str, str]:
        """The call's metadata, undecoded (a -bin value is base64); of duplicates the last."""
        return {name: value for name, value in self._headers if not name.startswith(":")}

    @property
    def peer(self) -> str:
        """The peer's address: host:port, or unix: with its path (empty when unnamed)."""
        name = self._stream._transport.get_extra_info("peername")
        if isinstance(name, tuple):
            host = f"[{name[0]}]" if ":" in name[0] else name[0]
            return f"{host}:{name[1]}"
        return f"unix:{name or ''}"

    async def start(self) -> None:
        """Send the initial metadata; once, before any message."""
        if not self._started:
            self._started = True
            if not self._stream.connection.send_headers_now(
                self._stream, _INITIAL_BLOCK, end_stream=False
            ):
                self._send_headers(_INITIAL)

    # -- nothing waits ---------------------------------------------------------------------------

    def listen(self, wake: Callable[[], None], arrived: Callable[[int], None]) -> None:
        """`wake` at each complete message, at the end, when there is room for what is unsent, and
        when the stream is lost; `arrived` with the size of all that comes."""
        self._buffer.on_ready = self._stream.on_room = wake
        self._buffer.on_bytes = arrived

    @property
    def finished(self) -> bool:
        """True once the peer has half-closed and every message was taken."""
        return self._buffer.finished

    @property
    def unread(self) -> int:
        """Bytes that arrived and were not taken, those of an incomplete message included."""
        return self._buffer.size

    def take(self) -> tuple[bytes, int] | None:
        """The next message and the credit that it holds; None while there is none.

        GRPCError for a message that is too large, cut or wrongly compressed: let it pass, the
        server ends the stream with its status.
        """
        return self._buffer.take()

    def want(self) -> None:
        """The next message is waited for: let it come although it exceeds the window."""
        self._buffer.want()

    def release(self, credit: int) -> None:
        """A message that was taken is dealt with: let the peer send as much again."""
        self._buffer.credit(credit)

    def write(self, message: bytes) -> bool:
        """Send a message as far as windows and socket reach; False when a rest of it is kept.

        The rest leaves with `flush`; before that nothing else may be written. StreamClosedError
        when the peer is gone, the call was ended, or an earlier write failed half-way.
        """
        if self.unsent:
            raise RuntimeError("a message is still on its way")
        self._prefix, self._rest = message_prefix(message), message
        self.unsent = len(self._prefix) + len(message)
        return self.flush()

    def flush(self) -> bool:
        """Send more of what `write` kept; True when nothing of it is left."""
        stream = self._stream
        if self.ended or self._broken or stream.terminated:
            raise StreamClosedError(f"stream {stream.number} is closed")
        self._broken = True  # what follows a message that failed half-way would be read as its rest
        try:
            while self.unsent:
                prefix, rest = self._prefix, self._rest
                sent = stream.connection.send_data(stream, prefix, rest)
                if sent == self.unsent:
                    self._prefix, self._rest, self.unsent = b"", _NOTHING, 0
                elif sent:
                    self._prefix = prefix[sent:]
                    self._rest = memoryview(rest)[max(sent - len(prefix), 0) :]
                    self.unsent -= sent
                else:
                    break
        except H2ProtocolError as error:
            raise StreamClosedError(f"stream {stream.number} is closed") from error
        self._broken = False
        return not self.unsent

    # -- awaited ---------------------------------------------------------------------------------

    async def recv(self) -> bytes | None:
        """The next message, None when the peer has half-closed. GRPCError as `take`."""
        buffer = self._buffer
        while (taken := buffer.take()) is None:
            if buffer.finished:
                return None
            buffer.want()
            await self._arrival.wait()
        message, credit = taken
        buffer.credit(credit)
        return message

    async def send(self, message: bytes) -> None:
        """Send one message; waits while the peer does not read.

        StreamClosedError when the peer is gone.
        """
        free = not self._sending.locked() and not self.unsent
        if free and self.write(message):
            return
        async with self._sending:
            await self._emptied()
            if not free:
                self.write(message)
                await self._emptied()

    async def _emptied(self) -> None:
        while not self.flush():
            await self._room.wait()

    # -- the end ---------------------------------------------------------------------------------

    async def refuse(self, http_status: str) -> None:
        """Answer what is no gRPC call with a bare HTTP status."""
        self.ended = True
        self._send_headers([(":status", http_status)], end_stream=True)
        self._reset_if_open()

    async def end(self, status: Status = Status.OK, message: str = "") -> None:
        """End the call with a status; once, later calls do nothing. Does not wait.

        Never fails: a peer that is gone needs no status, and where the status cannot be sent the
        stream is reset. What was written and has not left is dropped, and then the end is not OK.
        """
        if self.ended or self._stream.terminated:
            return
        if status is Status.OK and (self._broken or self.unsent):
            status, message = Status.INTERNAL, "internal error"
        self.ended = True
        try:
            self._end(status, message)
            self._reset_if_open()
        except StreamClosedError:
            pass
        except Exception:
            log.exception("%r could not be ended", self)
            self._stream.connection.break_off(self._stream)

    def _end(self, status: Status, message: str) -> None:
        if status is Status.OK and not message:
            connection = self._stream.connection
            if connection.send_headers_now(self._stream, _OK_BLOCK, end_stream=True):
                return
        trailers = [] if self._started else _INITIAL[:2]
        trailers = [*trailers, ("grpc-status", str(status.value))]
        if message:
            trailers.append(("grpc-message", encode_grpc_message(message)))
        self._send_headers(trailers, end_stream=True)

    def _reset_if_open(self) -> None:
        """The peer may still be sending: tell it that nobody reads (RFC 9113, 8.1)."""
        if self._stream.closable:
            self._stream.reset_nowait()

    def _send_headers(
        self, headers: Sequence[tuple[str, str]], *, end_stream: bool = False
    ) -> None:
        stream = self._stream
        if stream.terminated:
            raise StreamClosedError(f"stream {stream.number} is closed")
        try:
            stream.connection.send_headers(stream, list(headers), end_stream=end_stream)
        except H2ProtocolError as error:
            raise StreamClosedError(f"stream {stream.number} is closed") from error
