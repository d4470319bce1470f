"""Writes of one turn of the event loop, joined into one.

Why this file exists: each stream writes a few dozen bytes at a time, and a system call for each
costs more than all framing. It must not know what is written.
"""

from __future__ import annotations

import asyncio
from typing import Any

EAGER_BYTES = 65_536
"""So much is written without waiting for the turn's end: it is worth its own system call, and the
transport must hear of it to apply back-pressure."""


class CoalescingTransport:
    """As much of asyncio's Transport as grpclib uses; bytes leave in the order of the writes.

    Holds less than EAGER_BYTES, for at most one turn of the loop.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pending: list[bytes | memoryview] = []
        self._size = 0

    def __repr__(self) -> str:
        return f"<CoalescingTransport {self._size} bytes pending for {self._transport!r}>"

    def write(self, data: bytes | memoryview) -> None:
        """Write `data` by the end of this turn; it must not change until then."""
        if not self._pending:
            self._loop.call_soon(self.flush)
        self._pending.append(data)
        self._size += len(data)
        if self._size >= EAGER_BYTES:
            self.flush()

    def write_frames(self, parts: list[bytes | memoryview]) -> None:
        """Write whole frames: all of their parts or, when that fails, none."""
        if not self._pending:
            self._loop.call_soon(self.flush)
        size = sum(map(len, parts))
        self._pending += parts
        self._size += size
        if self._size >= EAGER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the transport now. Where that fails the connection is lost: what
        would follow a cut frame would be read as part of it."""
        pending, self._pending, self._size = self._pending, [], 0
        try:
            if len(pending) == 1:
                self._transport.write(pending[0])
            elif pending:
                self._transport.write(b"".join(pending))
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Close at once; what was not sent is dropped."""
        self._pending, self._size = [], 0
        self._transport.abort()

    def close(self) -> None:
        """Close after everything was sent."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is closed or about to be."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What asyncio's transport says."""
        return self._transport.get_extra_info(name, default)
