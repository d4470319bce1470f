"""A bell wakes the task that waits, and only that."""

from __future__ import annotations

import asyncio

import pytest

from srd.daemon.bell import Bell


def test_a_ring_wakes_the_task_that_waits_and_many_rings_are_one(run_async) -> None:
    async def look() -> None:
        bell, woken = Bell(), []

        async def wait() -> None:
            await bell.wait()
            woken.append(1)
            await bell.wait()
            woken.append(2)

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        assert woken == []
        bell.ring()
        bell.ring()
        await asyncio.sleep(0)
        assert woken == [1], "the second ring was for the same wake-up"
        bell.ring()
        await task

    run_async(look())


def test_a_ring_that_nobody_waits_for_is_not_kept(run_async) -> None:
    async def look() -> None:
        bell = Bell()
        bell.ring()
        task = asyncio.create_task(bell.wait())
        await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        bell.ring()

    run_async(look())
