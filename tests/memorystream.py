"""A gRPC stream in memory, as the driver's mailbox asks for one (srd.daemon.mailbox).

stream = MemoryStream(message, message, None)     # None: the gateway half-closes
stream.replies, stream.upstream, stream.ended     # what the driver sent
stream.window = 10                                # the gateway takes so many bytes more
stream.open_window(1000)                          # and now it takes more again
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from grpclib.const import Status

from srd.daemon.grpc_stream import StreamClosedError
from srd.wire.peer import Reply, decode_response


class MemoryStream:
    """`gone` makes writing fail as a reset does; `waited_on`: everything put in was taken."""

    def __init__(self, *messages: bytes | Exception | None) -> None:
        self.metadata: dict[str, str] = {}
        self.sent: list[bytes] = []
        self.ended: tuple[Status, str] | None = None
        self.gone = False
        self.window = 1 << 60
        self.unsent = 0
        self.partial = 0  # bytes of an incomplete message
        self.replied = asyncio.Event()
        self.waited_on = asyncio.Event()
        self.credit = 0  # of messages that were taken and not released
        self._inbox: deque[bytes | Exception] = deque()
        self._half_closed = False
        self._rest = b""
        self._wake: Callable[[], None] = lambda: None
        self._arrived: Callable[[int], None] = lambda size: None
        self.put(*messages)

    # What the test does

    def put(self, *messages: bytes | Exception | None) -> None:
        for message in messages:
            self.waited_on.clear()
            if message is None:
                self._half_closed = True
            else:
                self._inbox.append(message)
            self._tell(len(message) if isinstance(message, bytes) else 0)

    def begin(self, size: int) -> None:
        """So many bytes of a message come whose rest does not."""
        self.partial += size
        self._arrived(size)

    def open_window(self, size: int) -> None:
        self.window += size
        self._tell()

    def lose(self) -> None:
        self.gone = True
        self._tell()

    def _tell(self, size: int = 0) -> None:
        """A fault on the way to the driver is one of its stream (ServerConnection.received)."""
        try:
            self._arrived(size)
            self._wake()
        except Exception as error:
            self._inbox.append(error)
            self._wake()

    @property
    def replies(self) -> list[Reply]:
        return [decode_response(message) for message in self.sent]

    @property
    def upstream(self) -> bytes:
        return b"".join(r.body or b"" for r in self.replies if r.kind == "request_body")

    # What the driver asks for

    @property
    def finished(self) -> bool:
        return self._half_closed and not self._inbox

    @property
    def unread(self) -> int:
        return self.partial + sum(len(m) for m in self._inbox if isinstance(m, bytes))

    def listen(self, wake: Callable[[], None], arrived: Callable[[int], None]) -> None:
        self._wake, self._arrived = wake, arrived

    def take(self) -> tuple[bytes, int] | None:
        if not self._inbox:
            return None
        message = self._inbox[0]
        if isinstance(message, Exception):
            raise message
        self._inbox.popleft()
        self.credit += len(message)
        return message, len(message)

    def want(self) -> None:
        assert not self._inbox, "waited for while there was something"
        self.waited_on.set()

    def release(self, credit: int) -> None:
        self.credit -= credit
        assert self.credit >= 0

    def write(self, message: bytes) -> bool:
        assert not self.unsent, "written before the rest of the last message left"
        self._rest, self.unsent = message, len(message)
        return self.flush()

    def flush(self) -> bool:
        if self.gone:
            self.replied.set()
            raise StreamClosedError("stream 1 is closed")
        leaves = min(self.unsent, self.window)
        self.unsent -= leaves
        self.window -= leaves
        if self.unsent:
            return False
        self.sent.append(self._rest)
        self.replied.set()
        return True

    async def end(self, status: Status = Status.OK, message: str = "") -> None:
        if self.ended is None:
            self.ended = (status, message)
