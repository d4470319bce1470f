from collections.abc import Callable
from typing import Any

import pytest

from srd.classify.api import Scores
from srd.signals.base import Evidence, Reach, Truth
from srd.signals.embedding import EmbeddingContest, EmbeddingRival, EmbeddingSignal
from srd.signals.prototypes import PrototypeOptions, build_bank, empty_bank

Moment = Callable[..., Evidence]


def contest(
    topics: Any, *, code: float = 0.6, cook: float = 0.6, **policy: Any
) -> EmbeddingContest:
    def rival(name: str, threshold: float) -> EmbeddingRival:
        return EmbeddingRival(
            name, threshold, build_bank([name], topics.embed([name]), PrototypeOptions())
        )

    return EmbeddingContest((rival("code", code), rival("cook", cook)), **policy)


@pytest.mark.parametrize(
    ("text", "policy", "winners"),
    [
        ("code", {}, ["code"]),
        ("code cook", {}, ["code"]),  # both .71: one place, ties by name
        ("code cook cook", {}, ["cook"]),
        ("code cook", {"top_k": 0}, ["code", "cook"]),
        ("code cook cook", {"top_k": 0}, ["cook"]),  # code is at .45
        ("law", {"top_k": 0}, []),
        ("code", {"code": 1.1}, ["code"]),  # no rule is hard: soft
        ("code", {"code": 1.1, "soft": False}, []),
        ("code law law", {"code": 1.1}, []),  # .45 is under .5
        ("code law law", {"code": 1.1, "min_score": 0.4}, ["code"]),
        ("code cook", {"code": 0.8, "top_k": 0}, ["cook"]),  # cook is hard: nothing soft
    ],
)
def test_the_contest_follows_upstreams_policy(
    topics: Any, text: str, policy: dict[str, Any], winners: list[str]
) -> None:
    held = contest(topics, **policy)
    assert held.winners(held.scores(topics.vector(text))) == winners


def signal(topics: Any, name: str, reach: Reach = Reach.WINDOW) -> EmbeddingSignal:
    return EmbeddingSignal(name, reach, contest(topics))


def test_a_winner_is_true_and_a_rival_false(whole: Moment, topics: Any) -> None:
    evidence = whole("cook", scores=topics.scores("cook"))
    won, lost = signal(topics, "cook").read(evidence), signal(topics, "code").read(evidence)
    assert (won.value, won.confidence) == (Truth.TRUE, pytest.approx(1.0))
    assert (lost.value, lost.score) == (Truth.FALSE, pytest.approx(0.0))


def test_it_answers_only_once_the_window_is_full(
    early: Moment, settled: Moment, whole: Moment, topics: Any
) -> None:
    scores = topics.scores("cook")
    assert signal(topics, "cook").read(early("cook", scores=scores)).value is Truth.UNKNOWN
    assert signal(topics, "cook").read(settled("cook", scores=scores)).value is Truth.TRUE
    full = signal(topics, "cook", Reach.TURNS)
    assert full.read(settled("cook", scores=scores)).value is Truth.UNKNOWN
    assert full.read(whole("cook", scores=scores)).value is Truth.TRUE


@pytest.mark.parametrize("scores", [None, Scores(), Scores(embedding=[1.0, 0.0])])
def test_without_a_comparable_embedding_nothing_is_known(
    whole: Moment, topics: Any, scores: Scores | None
) -> None:
    assert signal(topics, "cook").read(whole("cook", scores=scores)).value is Truth.UNKNOWN


def test_a_rule_without_prototypes_is_unknown(whole: Moment, topics: Any) -> None:
    bare = EmbeddingContest((EmbeddingRival("cook", 0.5, empty_bank()),))
    evidence = whole("cook", scores=topics.scores("cook"))
    assert EmbeddingSignal("cook", Reach.WINDOW, bare).read(evidence).value is Truth.UNKNOWN


def test_no_text_is_like_nothing(whole: Moment, topics: Any) -> None:
    assert signal(topics, "cook").read(whole(" ")).value is Truth.FALSE
