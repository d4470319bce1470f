"""gRPC's message framing on one stream: DATA payloads in, whole messages out.

Why this file exists: grpclib reads a message of any announced size and refuses compressed ones.
Here the size is checked when its five-byte prefix is complete, before anything of it is held, and
gzip is accepted with a cap on the output. It knows neither HTTP/2 frames nor what a message
contains.
"""

from __future__ import annotations

import zlib
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

from grpclib.const import Status
from grpclib.exceptions import GRPCError

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX_BYTES = 5
ACCEPTED_ENCODINGS = "identity,gzip,deflate"
"""What a client may use for its messages (grpc-accept-encoding)."""


def _unheard(size: int = 0) -> None:
    """Nobody listens yet."""


class MessageBuffer:
    """Bytes of one stream that have arrived and were not taken yet.

    Bound: the peer's flow-control window, because `credit` is told of a message's bytes only when
    its reader hands them back; for one message that is waited for (`want`), at most `limit` more.
    Cost: one copy per message. `on_ready` is called when a message is complete, at the end and at
    a failure, `on_bytes` with the size of all that arrives.
    """

    def __init__(self, credit: Callable[[int], None], limit: int) -> None:
        self.credit = credit
        self._limit = limit
        self.encoding = "identity"
        self.on_ready: Callable[[], None] = _unheard
        self.on_bytes: Callable[[int], None] = _unheard
        self.ended = False
        self._chunks: deque[memoryview] = deque()
        self.size = 0  # bytes held here, those of an incomplete message included
        self._needed = PREFIX_BYTES  # of the current message; grows once its prefix is known
        self._ahead = 0  # bytes of the current message that were credited before it was complete
        self._wanted = False
        self._compressed = False
        self._failure: Exception | None = None

    def __repr__(self) -> str:
        state = "ended" if self.ended else "open"
        return f"<MessageBuffer {self.size} bytes held, {state}>"

    @property
    def finished(self) -> bool:
        """True when the peer has half-closed and everything was taken."""
        return self.ended and not self.size and self._failure is None

    def add(self, data: bytes | memoryview, flow_size: int) -> None:
        """A DATA frame arrived: its payload, and its size for flow control (padding counts)."""
        size = len(data)
        if flow_size > size:
            self.credit(flow_size - size)  # padding is held by nobody
        if not size:
            return
        self._chunks.append(memoryview(data))
        self.size += size
        self.on_bytes(size)
        if self._complete():
            self.on_ready()
        elif self._wanted:
            # All of it belongs to the message that is waited for.
            self._ahead += size
            self.credit(size)

    def eof(self) -> None:
        """The peer half-closed: what is here is all there will be."""
        self.ended = True
        self.on_ready()

    def fail(self, error: Exception) -> None:
        """Something was lost on the way here: `take` raises `error` from now on."""
        self._failure = error
        self.on_ready()

    def want(self) -> None:
        """The next message is waited for: its bytes are credited as they come."""
        if not self._wanted:
            self._wanted = True
            if self.size and not self._complete():
                self._ahead += self.size
                self.credit(self.size)

    def take(self) -> tuple[bytes, int] | None:
        """The next message and the credit that it still holds, for `credit`; None without one.

        GRPCError: RESOURCE_EXHAUSTED for a message over the limit, INTERNAL for one that the
        stream's end cuts or that cannot be inflated, UNIMPLEMENTED for an unknown compression.
        """
        if not self._complete():
            if self.ended and self.size:
                raise GRPCError(Status.INTERNAL, "the stream ended within a message")
            return None
        if self._failure is not None:
            raise self._failure
        credit = self._needed - self._ahead
        message = self._cut()
        self._ahead, self._wanted = 0, False
        return (self._inflate(message) if self._compressed else message), credit

    def _complete(self) -> bool:
        """Whether `take` has something to give or to raise; reads a prefix as soon as it is
        here."""
        if self.size >= self._needed == PREFIX_BYTES and self._failure is None:
            prefix = bytes(self._chunks[0][:PREFIX_BYTES])
            if len(prefix) < PREFIX_BYTES:
                prefix = b"".join(islice(self._chunks, PREFIX_BYTES))[:PREFIX_BYTES]
            length = int.from_bytes(prefix[1:], "big")
            if length > self._limit:
                self._failure = GRPCError(
                    Status.RESOURCE_EXHAUSTED,
                    f"message of {length} bytes, the limit is {self._limit}",
                )
            self._compressed = bool(prefix[0])
            self._needed += length
            if not length:
                return True
        return self._failure is not None or self.size >= self._needed > PREFIX_BYTES

    def _cut(self) -> bytes:
        """Remove the current message, which is complete, and return it without its prefix."""
        self.size -= self._needed
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
