"""Writes are joined, in order, and never kept for long."""

from __future__ import annotations

import asyncio
from typing import Any

from srd.daemon.grpc_transport import EAGER_BYTES, CoalescingTransport


class Recorder(asyncio.Transport):
    """Keeps each write that reaches the socket."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def test_writes_of_one_turn_leave_as_one_and_in_order() -> None:
    async def turns() -> list[bytes]:
        recorder = Recorder()
        transport = CoalescingTransport(recorder)
        transport.write(b"a")
        transport.write(memoryview(b"bc"))
        transport.write(b"d")
        assert recorder.writes == []
        await asyncio.sleep(0)
        transport.write(b"e")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return recorder.writes

    assert asyncio.run(turns()) == [b"abcd", b"e"]


def test_a_large_amount_leaves_at_once_so_that_back_pressure_is_felt() -> None:
    async def turns() -> list[int]:
        recorder = Recorder()
        transport = CoalescingTransport(recorder)
        for _ in range(3):
            transport.write(bytes(EAGER_BYTES // 2))
        assert len(recorder.writes) == 1
        await asyncio.sleep(0)
        return [len(write) for write in recorder.writes]

    assert asyncio.run(turns()) == [EAGER_BYTES, EAGER_BYTES // 2]


def test_closing_sends_what_is_pending_first() -> None:
    async def turns() -> tuple[list[bytes], bool]:
        recorder = Recorder()
        transport = CoalescingTransport(recorder)
        transport.write(b"last words")
        transport.close()
        await asyncio.sleep(0)
        return recorder.writes, transport.is_closing()

    assert asyncio.run(turns()) == ([b"last words"], True)
