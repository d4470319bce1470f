"""Forwards off the event loop: a bounded queue, shortest first, worker threads, micro-batches.

Why this file exists: overload, cancellation, deadlines and failing models are settled here, so
that callers only ever see a future. It must not know what an ask means or how it is answered.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from srd.classify.api import Ask, ClassifierUnavailable, Scores, Statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: An ask gains this many tokens of precedence per second of waiting: about what one core reads.
#: Shortest first then never starves a long ask.
AGEING_TOKENS_PER_SECOND = 4000.0


@dataclass(frozen=True, slots=True)
class Batching:
    """Dynamic micro-batches, for a GPU: up to `max_asks` of similar length, after `max_wait_s`.

    Batching on a CPU gains nothing (measured: eight rows cost more than eight single ones).
    """

    max_asks: int = 32
    max_wait_s: float = 0.002
    length_ratio: float = 2.0


@dataclass(slots=True, order=True)
class _Job:
    precedence: float
    number: int
    ask: Ask | None = field(compare=False)  # None once it has left the queue
    cost: int = field(compare=False)
    future: Future[Scores] = field(compare=False)


_COUNTED = ("running", "runs", "rejected", "cancelled", "expired", "failed")
_Batch = list[tuple[Ask, Future[Scores]]]
_Taken = tuple[_Batch, list[Future[Scores]]]


class Executor:
    """Runs `answer` on worker threads. Thread-safe.

    `answer` takes a batch of asks and returns one result each; whatever it raises becomes
    ClassifierUnavailable on the futures of that batch only.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Ask]], Sequence[Scores]],
        *,
        threads: int,
        limit: int,
        batching: Batching | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start `threads` daemon threads; at most `limit` asks wait."""
        self._answer = answer
        self._limit = limit
        self._batching = batching
        self._clock = clock
        self._changed = threading.Condition()
        self._heap: list[_Job] = []
        self._numbers = itertools.count()
        self._waiting = 0
        self._closed = False
        self._counts: Counter[str] = Counter()
        self._batch_sizes: Counter[int] = Counter()
        self._threads = [
            threading.Thread(target=self._work, name=f"srd-classify-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def __repr__(self) -> str:
        running = self._counts["running"]
        return (
            f"<Executor {len(self._threads)} threads, {self._waiting} waiting, {running} running>"
        )

    def submit(self, ask: Ask, cost: int) -> Future[Scores]:
        """Queue an ask of about `cost` tokens. Never blocks, never raises."""
        future: Future[Scores] = Future()
        with self._changed:
            refusal = self._refusal()
            if not refusal:
                precedence = cost + self._clock() * AGEING_TOKENS_PER_SECOND
                job = _Job(precedence, next(self._numbers), ask, cost, future)
                heapq.heappush(self._heap, job)
                self._waiting += 1
                self._changed.notify()
        if refusal:
            future.set_exception(ClassifierUnavailable(refusal))
        else:
            future.add_done_callback(lambda _: self._forget(job))
        return future

    def _refusal(self) -> str:
        if self._closed:
            return "the classifier is closed"
        if self._waiting >= self._limit:
            self._counts["rejected"] += 1
            return f"the classifier's queue is full ({self._limit})"
        return ""

    def _forget(self, job: _Job) -> None:
        """A future is done. If its job still waits, it was cancelled: give its place away."""
        with self._changed:
            if job.ask is None:
                return
            job.ask = None
            self._waiting -= 1
            self._counts["cancelled"] += 1
            # Dead entries stay in the heap until popped, but never outnumber the living for long.
            if len(self._heap) > 2 * self._waiting + 16:
                self._heap = [entry for entry in self._heap if entry.ask is not None]
                heapq.heapify(self._heap)

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            batch, expired = taken
            for future in expired:  # outside the lock: a future runs its caller's callbacks
                future.set_exception(ClassifierUnavailable("the deadline passed in the queue"))
            if batch:
                self._run([ask for ask, _ in batch], [future for _, future in batch])
                with self._changed:
                    self._counts["running"] -= len(batch)
                    self._counts["runs"] += 1
            del taken, batch, expired  # an idle worker holds no prompt

    def _run(self, asks: Sequence[Ask], futures: Sequence[Future[Scores]]) -> None:
        try:
            results = self._answer(asks)
            if len(results) != len(asks):
                raise ValueError(f"{len(results)} answers to {len(asks)} asks")
        except Exception as error:
            if len(asks) > 1:  # one bad ask must not fail its neighbours
                for ask, future in zip(asks, futures, strict=True):
                    self._run([ask], [future])
                return
            with self._changed:
                self._counts["failed"] += 1
            failure = ClassifierUnavailable(f"the classifier failed: {type(error).__name__}")
            failure.__cause__ = error
            futures[0].set_exception(failure)
            return
        for future, result in zip(futures, results, strict=True):
            future.set_result(result)

    def _take(self) -> _Taken | None:
        """Wait for work; a batch and the futures whose deadline passed. None: closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            batch: list[tuple[Ask, Future[Scores]]] = []
            expired: list[Future[Scores]] = []
            self._gather(batch, expired)
            if batch:
                self._counts["running"] += len(batch)
                self._batch_sizes[len(batch)] += 1
            return batch, expired

    def _gather(self, batch: _Batch, expired: list[Future[Scores]]) -> None:
        first = self._pop(batch, expired, None)
        if first is None or self._batching is None:
            return
        until = self._clock() + self._batching.max_wait_s
        ceiling = max(first.cost, 1) * self._batching.length_ratio
        while len(batch) < self._batching.max_asks and not self._closed:
            if self._pop(batch, expired, ceiling) is not None:
                continue
            left = until - self._clock()
            if self._waiting or left <= 0 or not self._changed.wait(left):
                return

    def _pop(
        self, batch: _Batch, expired: list[Future[Scores]], ceiling: float | None
    ) -> _Job | None:
        """Move the next living job into `batch`, unless it is longer than `ceiling`."""
        while self._heap:
            job = self._heap[0]
            if job.ask is not None and ceiling is not None and job.cost > ceiling:
                return None
            heapq.heappop(self._heap)
            ask, job.ask = job.ask, None
            if ask is None:
                continue
            self._waiting -= 1
            if not job.future.set_running_or_notify_cancel():
                self._counts["cancelled"] += 1
            elif ask.deadline is not None and self._clock() >= ask.deadline:
                self._counts["expired"] += 1
                expired.append(job.future)
            else:
                batch.append((ask, job.future))
                return job
        return None

    def statistics(self) -> Statistics:
        """The executor's share of the statistics."""
        with self._changed:
            return Statistics(
                queued=self._waiting,
                batch_sizes=MappingProxyType(dict(self._batch_sizes)),
                **{name: self._counts[name] for name in _COUNTED},
            )

    def close(self, timeout: float = 5.0) -> None:
        """Fail what waits, let running forwards end, stop the threads. Idempotent."""
        with self._changed:
            self._closed = True
            waiting = [job for job in self._heap if job.ask is not None]
            self._heap.clear()
            self._waiting = 0
            for job in waiting:
                job.ask = None
            self._changed.notify_all()
        for job in waiting:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(ClassifierUnavailable("the classifier is closed"))
        for thread in self._threads:
            thread.join(timeout)
