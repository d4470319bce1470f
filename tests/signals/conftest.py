"""Moments of an upload, and a classifier whose embeddings can be worked out by hand."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from srd.classify.api import Ask, Scores
from srd.signals.base import Evidence, Origin, Segment

Moment = Callable[..., Evidence]

TOPICS = ("cook", "code", "law", "hard", "easy", "attack")


@pytest.fixture
def whole() -> Moment:
    """The body has ended. All that was said is the text, unless there are segments."""

    def moment(text: str = "", **more: Any) -> Evidence:
        said = {"segments": (Segment(Origin.LAST, text),), **more}
        return Evidence(text=text, settled=True, whole=True, **said)

    return moment


@pytest.fixture
def settled() -> Moment:
    """The window is full, the body has not ended."""
    return lambda text="", **more: Evidence(text=text, settled=True, **more)


@pytest.fixture
def early() -> Moment:
    """More text of the first message is still to come."""
    return lambda text="", **more: Evidence(text=text, **more)


class TopicClassifier:
    """Embeds a text as its share of topic words: "cook cook code" is (2, 1, 0, ...) normalised."""

    labels = ("math", "law", "other")

    def __init__(self) -> None:
        self.embedded: list[tuple[str, ...]] = []

    def vector(self, text: str) -> list[float]:
        counts = [float(text.lower().count(topic)) for topic in TOPICS]
        norm = math.sqrt(sum(c * c for c in counts)) or 1.0
        return [c / norm for c in counts]

    def embed(self, texts: Sequence[str]) -> list[Sequence[float]]:
        self.embedded.append(tuple(texts))
        return [self.vector(text) for text in texts]

    def scores(self, text: str, **more: Any) -> Scores:
        return Scores(embedding=self.vector(text), **more)

    def quick(self, ask: Ask) -> Scores | None:
        return None

    def submit(self, ask: Ask) -> Future[Scores]:
        future: Future[Scores] = Future()
        future.set_result(self.scores(ask.text))
        return future

    def close(self) -> None: ...


@pytest.fixture
def topics() -> TopicClassifier:
    return TopicClassifier()
