from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from srd.classify.api import Ask, ClassifierUnavailable, Scores
from srd.classify.executor import Batching, Executor

NONE: frozenset[str] = frozenset()


def ask(text: str, deadline: float | None = None) -> Ask:
    return Ask(text=text, heads=NONE, deadline=deadline)


class Model:
    """Answers with the order of arrival once its gate is open; "bad" raises."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.batches: list[list[str]] = []

    def __call__(self, asks):
        self.entered.set()
        assert self.gate.wait(10)
        self.batches.append([ask.text for ask in asks])
        if any(ask.text == "bad" for ask in asks):
            raise ValueError("bad prompt")
        return [Scores(tokens=len(self.batches)) for _ in asks]


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def executor(model):
    made: list[Executor] = []

    def make(**options) -> Executor:
        made.append(Executor(model, **({"threads": 1, "limit": 8} | options)))
        return made[-1]

    yield make
    model.gate.set()
    for one in made:
        one.close()


def occupied(executor: Executor, model: Model) -> None:
    """The worker holds an ask, so that everything after it queues."""
    executor.submit(ask("first"), 1)
    assert model.entered.wait(10)


def test_the_shortest_ask_is_answered_first(executor, model):
    queue = executor(clock=lambda: 0.0)
    occupied(queue, model)
    futures = [queue.submit(ask(str(cost)), cost) for cost in (300, 20, 100)]
    model.gate.set()
    for future in futures:
        future.result(10)
    assert model.batches[1:] == [["20"], ["100"], ["300"]]


def test_a_long_ask_that_has_waited_goes_before_a_new_short_one(executor, model):
    now = 0.0
    queue = executor(clock=lambda: now)
    occupied(queue, model)
    long = queue.submit(ask("long"), 2000)
    now = 1.0
    short = queue.submit(ask("short"), 10)
    model.gate.set()
    long.result(10), short.result(10)
    assert model.batches[1:] == [["long"], ["short"]]


def test_a_full_queue_refuses_at_once_and_counts_it(executor, model):
    queue = executor(limit=2)
    occupied(queue, model)
    queue.submit(ask("a"), 1), queue.submit(ask("b"), 1)
    refused = queue.submit(ask("c"), 1)
    with pytest.raises(ClassifierUnavailable, match="full"):
        refused.result(0)
    assert queue.statistics().rejected == 1
    assert queue.statistics().queued == 2


def test_a_cancelled_ask_leaves_the_queue_and_its_place_is_free(executor, model):
    queue = executor(limit=1)
    occupied(queue, model)
    gone = queue.submit(ask("gone"), 1)
    assert gone.cancel()
    assert queue.statistics().queued == 0
    kept = queue.submit(ask("kept"), 1)
    model.gate.set()
    kept.result(10)
    assert ["gone"] not in model.batches
    assert queue.statistics().cancelled == 1
    with pytest.raises(CancelledError):
        gone.result(0)


def test_cancelled_asks_do_not_pile_up_behind_a_busy_worker(executor, model):
    queue = executor(limit=4)
    occupied(queue, model)
    for number in range(500):
        queue.submit(ask(f"{number}"), 1).cancel()
    assert len(queue._heap) <= 32
    assert queue.statistics().queued == 0


def test_an_ask_past_its_deadline_fails_without_a_forward(executor, model):
    now = 5.0
    queue = executor(clock=lambda: now)
    occupied(queue, model)
    late = queue.submit(ask("late", deadline=6.0), 1)
    in_time = queue.submit(ask("in time", deadline=8.0), 1)
    now = 7.0
    model.gate.set()
    with pytest.raises(ClassifierUnavailable, match="deadline"):
        late.result(10)
    in_time.result(10)
    assert ["late"] not in model.batches
    assert queue.statistics().expired == 1


def test_a_model_that_raises_fails_its_ask_and_the_worker_lives(executor, model):
    model.gate.set()
    queue = executor()
    with pytest.raises(ClassifierUnavailable, match="ValueError") as failure:
        queue.submit(ask("bad"), 1).result(10)
    assert isinstance(failure.value.__cause__, ValueError)
    assert queue.submit(ask("good"), 1).result(10).tokens == 2
    assert queue.statistics().failed == 1


def test_a_model_that_returns_too_few_answers_is_a_failure_not_a_hang(executor):
    queue = Executor(lambda asks: [], threads=1, limit=8)
    try:
        with pytest.raises(ClassifierUnavailable):
            queue.submit(ask("x"), 1).result(10)
    finally:
        queue.close()


def test_a_batch_takes_asks_of_similar_length_and_leaves_the_rest(executor, model):
    queue = executor(batching=Batching(max_asks=4, max_wait_s=0.0), clock=lambda: 0.0)
    occupied(queue, model)
    futures = [queue.submit(ask(str(cost)), cost) for cost in (10, 15, 500, 20, 40)]
    model.gate.set()
    for future in futures:
        future.result(10)
    assert model.batches[1:] == [["10", "15", "20"], ["40"], ["500"]]
    assert dict(queue.statistics().batch_sizes) == {1: 3, 3: 1}


def test_a_batch_waits_for_company_until_it_is_full(executor, model):
    queue = executor(batching=Batching(max_asks=2, max_wait_s=60.0))
    model.gate.set()
    futures = [queue.submit(ask("a"), 1), queue.submit(ask("b"), 1)]
    for future in futures:
        future.result(10)
    assert model.batches == [["a", "b"]]


def test_one_bad_ask_does_not_fail_the_rest_of_its_batch(executor, model):
    queue = executor(batching=Batching(max_asks=3, max_wait_s=60.0))
    model.gate.set()
    futures = [queue.submit(ask(text), 1) for text in ("a", "bad", "b")]
    futures[0].result(10), futures[2].result(10)
    with pytest.raises(ClassifierUnavailable):
        futures[1].result(10)


def test_close_fails_what_waits_and_refuses_what_comes(executor, model):
    queue = executor()
    occupied(queue, model)
    waiting = queue.submit(ask("waiting"), 1)
    closer = threading.Thread(target=queue.close)
    closer.start()
    with pytest.raises(ClassifierUnavailable, match="closed"):
        waiting.result(10)
    model.gate.set()
    closer.join(10)
    with pytest.raises(ClassifierUnavailable, match="closed"):
        queue.submit(ask("after"), 1).result(0)


def test_progress_stands_still_while_a_forward_hangs(executor, model):
    queue = executor()
    occupied(queue, model)
    hung = queue.statistics()
    assert (hung.running, hung.runs) == (1, 0)
    following = queue.submit(ask("next"), 1)
    model.gate.set()
    following.result(10)
    queue.close()
    assert queue.statistics().runs == 2
    assert queue.statistics().running == 0
