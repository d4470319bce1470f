"""gRPC's message framing on one stream: DATA payloads in, whole messages out.

Why this file exists: grpclib reads a message of any announced size and refuses compressed ones.
Here the size is checked when its five-byte prefix is complete, before anything of it is held, and
gzip is accepted with a cap on the output. It knows neither HTTP/2 frames nor what a message
contains.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from typing import TYPE_CHECKING

from grpclib.const import Status
from grpclib.exceptions import GRPCError

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX_BYTES = 5
ACCEPTED_ENCODINGS = "identity,gzip,deflate"
"""What a client may use for its messages (grpc-accept-encoding)."""


class MessageBuffer:
    """Bytes of one stream that have arrived and were not read yet.

    Bound: the peer's flow-control window, because bytes are acknowledged only when a reader asks
    for them; while it waits for the rest of a message, at most `limit` more. Cost: one copy per
    message. `ack` receives the number of flow-controlled bytes that the reader has taken.
    """

    def __init__(self, ack: Callable[[int], None], limit: int) -> None:
        self._ack = ack
        self._limit = limit
        self.encoding = "identity"
        self._chunks: deque[memoryview] = deque()
        self._size = 0
        self._unacked = 0
        self._needed = PREFIX_BYTES  # of the current message; grows once its prefix is known
        self._compressed = False
        self._eof = False
        self._waiter: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        state = "ended" if self._eof else "open"
        return f"<MessageBuffer {self._size} bytes held, {self._unacked} unacknowledged, {state}>"

    def add(self, data: bytes | memoryview, ack_size: int) -> None:
        """A DATA frame arrived: its payload, and its size for flow control (padding counts)."""
        if len(data):
            self._chunks.append(memoryview(data))
            self._size += len(data)
        if self._waiter is None:
            self._unacked += ack_size
            return
        # Someone waits for these bytes: they are as good as read.
        self._ack(ack_size)
        if self._size >= self._needed:
            self._wake()

    def eof(self) -> None:
        """The peer half-closed: what is here is all there will be."""
        self._eof = True
        self._wake()

    def unacked_size(self) -> int:
        """Flow-controlled bytes to give back when the stream is dropped; counted once."""
        size, self._unacked = self._unacked, 0
        return size

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self) -> bytes | None:
        """The next message, None at the end of the stream. One reader at a time.

        GRPCError: RESOURCE_EXHAUSTED for a message over the limit, INTERNAL for one that the
        stream's end cuts or that cannot be inflated, UNIMPLEMENTED for an unknown compression.
        """
        while not self._complete():
            if self._unacked:
                self._ack(self.unacked_size())
            if self._eof:
                if self._size:
                    raise GRPCError(Status.INTERNAL, "the stream ended within a message")
                return None
            await self._arrival()
        if self._unacked:
            self._ack(self.unacked_size())
        message = self._take()
        return self._inflate(message) if self._compressed else message

    async def _arrival(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _complete(self) -> bool:
        """Whether a whole message is here; reads and checks its prefix as soon as that is."""
        if self._size < self._needed:
            return False
        if self._needed == PREFIX_BYTES:
            prefix = self._chunks[0][:PREFIX_BYTES]
            if len(prefix) < PREFIX_BYTES:
                prefix = memoryview(b"".join(self._chunks)[:PREFIX_BYTES])
            length = int.from_bytes(prefix[1:], "big")
            if length > self._limit:
                raise GRPCError(
                    Status.RESOURCE_EXHAUSTED,
                    f"message of {length} bytes, the limit is {self._limit}",
                )
            self._compressed = bool(prefix[0])
            self._needed += length
        return self._size >= self._needed

    def _take(self) -> bytes:
        """Remove the current message, which is complete, and return it without its prefix."""
        self._size -= self._needed
        wanted, parts = self._needed, []
        while wanted:
            chunk = self._chunks.popleft()
            if len(chunk) > wanted:
                self._chunks.appendleft(chunk[wanted:])
                chunk = chunk[:wanted]
            parts.append(chunk)
            wanted -= len(chunk)
        self._needed = PREFIX_BYTES
        to_skip = PREFIX_BYTES
        while to_skip:
            cut = min(to_skip, len(parts[0]))
            to_skip -= cut
            if cut == len(parts[0]):
                parts.pop(0)
            else:
                parts[0] = parts[0][cut:]
        return b"".join(parts)

    def _inflate(self, message: bytes) -> bytes:
        if self.encoding not in ("gzip", "deflate"):
            status = Status.INTERNAL if self.encoding == "identity" else Status.UNIMPLEMENTED
            raise GRPCError(status, f"compressed message with grpc-encoding {self.encoding!r}")
        inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # either header
        try:
            plain = inflater.decompress(message, self._limit + 1)
        except zlib.error as error:
            raise GRPCError(Status.INTERNAL, f"compressed message is damaged: {error}") from None
        if len(plain) > self._limit:
            raise GRPCError(
                Status.RESOURCE_EXHAUSTED, f"message inflates to more than {self._limit} bytes"
            )
        if not inflater.eof or inflater.unused_data:
            raise GRPCError(Status.INTERNAL, "compressed message is cut or has a tail")
        return plain


def message_prefix(message: bytes) -> bytes:
    """What stands before `message` on the wire: not compressed, and its length."""
    return b"\x00" + len(message).to_bytes(4, "big")
