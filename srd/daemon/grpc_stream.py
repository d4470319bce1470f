"""One gRPC call as its handler sees it: bytes in, bytes out.

Why this file exists: the server hands out raw messages, so that the codec decides what is decoded
and when. It must not know which method is called nor what a message contains.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.metadata import encode_grpc_message
from h2.exceptions import ProtocolError as H2ProtocolError

from srd.daemon.grpc_messages import ACCEPTED_ENCODINGS, message_prefix
from srd.daemon.grpc_shortcuts import header_block

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srd.daemon.grpc_connection import ServerStream

__all__ = ["GRPCError", "ProcessStream", "Status", "StreamClosedError"]

_INITIAL = [
    (":status", "200"),
    ("content-type", "application/grpc"),
    ("grpc-accept-encoding", ACCEPTED_ENCODINGS),
]
_INITIAL_BLOCK = header_block(_INITIAL)
_OK_BLOCK = header_block([("grpc-status", "0")])


class StreamClosedError(Exception):
    """The stream cannot carry anything more: the peer reset it, or it was ended here.

    The task that the server started for the handler is cancelled in the first case; other tasks
    that send see this error. It is a normal end, not a fault.
    """


class ProcessStream:
    """The stream of one call.

    `recv` by one task, `send` by any number: a message is never mixed with another one.
    Cancellation of the handler (CancelledError) means that the peer is gone.
    """

    def __init__(self, stream: ServerStream, headers: Sequence[tuple[str, str]]) -> None:
        self._stream = stream
        self._headers = headers
        self._sending = asyncio.Lock()
        self._started = False
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
                await self._send_headers(_INITIAL)

    async def recv(self) -> bytes | None:
        """The next message, None when the peer has half-closed.

        GRPCError for a message that is too large, cut or wrongly compressed: let it pass, the
        server ends the stream with its status.
        """
        return await self._stream.buffer.read()

    async def send(self, message: bytes) -> None:
        """Send one message; waits while the peer does not read.

        StreamClosedError when the peer is gone.
        """
        if self.ended or self._stream.terminated:
            raise StreamClosedError(f"stream {self._stream.number} is closed")
        connection = self._stream.connection
        if not self._sending.locked() and connection.send_now(self._stream, message):
            return
        async with self._sending:
            framed = memoryview(message_prefix(message) + message)
            try:
                await connection.send_data(self._stream, framed)
            except H2ProtocolError as error:
                raise StreamClosedError(f"stream {self._stream.number} is closed") from error
            if self._stream.terminated:
                raise StreamClosedError(f"stream {self._stream.number} is closed")

    async def refuse(self, http_status: str) -> None:
        """Answer what is no gRPC call with a bare HTTP status."""
        self.ended = True
        await self._send_headers([(":status", http_status)], end_stream=True)
        self._reset_if_open()

    async def end(self, status: Status = Status.OK, message: str = "") -> None:
        """End the call with a status; once, later calls do nothing.

        Never fails: a peer that is gone needs no status.
        """
        if self.ended or self._stream.terminated:
            return
        self.ended = True
        if status is Status.OK and not message and not self._sending.locked():
            connection = self._stream.connection
            if connection.send_headers_now(self._stream, _OK_BLOCK, end_stream=True):
                self._reset_if_open()
                return
        trailers = [] if self._started else _INITIAL[:2]
        trailers = [*trailers, ("grpc-status", str(status.value))]
        if message:
            trailers.append(("grpc-message", encode_grpc_message(message)))
        try:
            async with self._sending:
                await self._send_headers(trailers, end_stream=True)
            self._reset_if_open()
        except StreamClosedError:
            pass

    def _reset_if_open(self) -> None:
        """The peer may still be sending: tell it that nobody reads (RFC 9113, 8.1)."""
        if self._stream.closable:
            self._stream.reset_nowait()

    async def _send_headers(
        self, headers: Sequence[tuple[str, str]], *, end_stream: bool = False
    ) -> None:
        try:
            await self._stream.send_headers(list(headers), end_stream=end_stream)
        except H2ProtocolError as error:
            raise StreamClosedError(f"stream {self._stream.number} is closed") from error
