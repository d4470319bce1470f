"""Wakes the one task that waits for whatever may come.

Why this file exists: a stream's task waits for messages, timers, scores and room at once, and
needs to be told only that something happened. It must not know what.
"""

from __future__ import annotations

import asyncio


class Bell:
    """Rung from the event loop by anyone, waited for by one task.

    A ring that nobody waits for is not kept: look at what there is, and wait only when that is
    nothing, without awaiting anything else in between.
    """

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake the task that waits, if one does."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def wait(self) -> None:
        """Until the next ring. One task at a time."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
