from collections.abc import Callable
from typing import Any

import pytest

from srd.classify.api import Scores
from srd.config.rules import Leaf
from srd.signals.base import Evidence, Reach, Truth
from srd.signals.complexity import LEVELS, ComplexitySignal, Level
from srd.signals.composer import Composer
from srd.signals.domain import DomainPolicy, DomainSignal
from srd.signals.prototypes import PrototypeOptions, build_bank, empty_bank

Moment = Callable[..., Evidence]


def complexity(
    topics: Any, level: Level, *, reach: Reach = Reach.WINDOW, composer: Composer | None = None
) -> ComplexitySignal:
    hard = build_bank(["hard"], topics.embed(["hard"]), PrototypeOptions())
    easy = build_bank(["easy"], topics.embed(["easy"]), PrototypeOptions())
    return ComplexitySignal("math", level, reach, 0.2, hard, easy, composer)


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("hard", "hard"),
        ("hard hard easy", "hard"),
        ("hard easy", "medium"),
        ("cook", "medium"),
        ("easy easy hard", "easy"),
    ],
)
def test_exactly_one_level_is_true(whole: Moment, topics: Any, text: str, level: str) -> None:
    evidence = whole(text, scores=topics.scores(text))
    true = [one for one in LEVELS if complexity(topics, one).read(evidence).value is Truth.TRUE]
    assert true == [level]


def test_the_margin_is_the_score_and_its_size_the_confidence(whole: Moment, topics: Any) -> None:
    reading = complexity(topics, "easy").read(whole("easy", scores=topics.scores("easy")))
    assert (reading.score, reading.confidence) == (pytest.approx(-1.0), pytest.approx(1.0))


def test_its_name_is_the_leafs(topics: Any) -> None:
    assert complexity(topics, "hard").name == "math:hard"


def test_one_side_without_examples_scores_nothing(whole: Moment, topics: Any) -> None:
    easy = build_bank(["easy"], topics.embed(["easy"]), PrototypeOptions())
    signal = ComplexitySignal("math", "easy", Reach.WINDOW, 0.2, empty_bank(), easy)
    assert signal.read(whole("easy", scores=topics.scores("easy"))).value is Truth.TRUE
    bare = ComplexitySignal("math", "medium", Reach.WINDOW, 0.2, empty_bank(), empty_bank())
    assert bare.read(whole("easy", scores=topics.scores("easy"))).value is Truth.UNKNOWN


def test_it_answers_only_once_the_window_is_full(
    early: Moment, settled: Moment, topics: Any
) -> None:
    scores = topics.scores("hard")
    signal = complexity(topics, "hard")
    assert signal.read(early("hard", scores=scores)).value is Truth.UNKNOWN
    assert signal.read(settled("hard", scores=scores)).value is Truth.TRUE
    assert (
        complexity(topics, "hard", reach=Reach.TURNS).read(settled("hard", scores=scores)).value
        is Truth.UNKNOWN
    )


def test_without_text_or_embedding(whole: Moment, topics: Any) -> None:
    assert complexity(topics, "medium").read(whole("")).value is Truth.FALSE
    assert complexity(topics, "medium").read(whole("hard")).value is Truth.UNKNOWN


@pytest.mark.parametrize(
    ("probabilities", "value"),
    [
        ({"math": 0.9, "law": 0.1}, Truth.TRUE),
        ({"math": 0.1, "law": 0.9}, Truth.FALSE),
        (None, Truth.UNKNOWN),
    ],
)
def test_a_composer_must_hold_too(
    whole: Moment, topics: Any, probabilities: dict[str, float] | None, value: Truth
) -> None:
    math = DomainSignal("math", Reach.WINDOW, frozenset({"math"}), DomainPolicy())
    composer = Composer(Leaf(type="domain", name="math"), {"domain:math": math})
    signal = complexity(topics, "hard", composer=composer)
    scores = Scores(embedding=topics.vector("hard"), domain=probabilities)
    assert signal.heads == {"embedding", "domain"}
    assert signal.read(whole("hard", scores=scores)).value is value


def test_another_level_is_false_whatever_the_composer_waits_for(whole: Moment, topics: Any) -> None:
    math = DomainSignal("math", Reach.WINDOW, frozenset({"math"}), DomainPolicy())
    composer = Composer(Leaf(type="domain", name="math"), {"domain:math": math})
    signal = complexity(topics, "easy", composer=composer)
    assert signal.read(whole("hard", scores=topics.scores("hard"))).value is Truth.FALSE
