from collections.abc import Callable
from typing import Any

import pytest

from srd.classify.api import Scores, SegmentScores
from srd.signals.base import Evidence, Origin, Reach, Segment, Truth
from srd.signals.jailbreak import JailbreakSignal
from srd.signals.prototypes import PrototypeBank, PrototypeOptions, build_bank, empty_bank

Moment = Callable[..., Evidence]


def guard(*origins: Origin, reach: Reach = Reach.TURNS, threshold: float = 0.7) -> JailbreakSignal:
    return JailbreakSignal("guard", reach, threshold, 0.85, frozenset({Origin.LAST, *origins}))


def risk(*values: float | None) -> Scores:
    """Of the text, and of each segment."""
    segments = tuple(SegmentScores(jailbreak=value) for value in values)
    return Scores(jailbreak=values[0], segments=segments)


@pytest.mark.parametrize(
    ("value", "truth"), [(0.7, Truth.TRUE), (0.69, Truth.FALSE), (0.0, Truth.FALSE)]
)
def test_a_risk_at_the_threshold_matches(whole: Moment, value: float, truth: Truth) -> None:
    reading = guard().read(whole("text", scores=risk(value)))
    assert (reading.value, reading.score) == (truth, value)


def test_it_says_nothing_before_the_body_has_ended(early: Moment, settled: Moment) -> None:
    for moment in (early, settled):
        assert guard().read(moment("text", scores=risk(1.0))).value is Truth.UNKNOWN


@pytest.mark.parametrize("scores", [None, Scores()])
def test_without_a_risk_nothing_is_known(whole: Moment, scores: Scores | None) -> None:
    assert guard().read(whole("text", scores=scores)).value is Truth.UNKNOWN


def test_no_text_is_no_attack(whole: Moment) -> None:
    assert guard().read(whole(" ")).value is Truth.FALSE


@pytest.mark.parametrize(
    ("value", "truth"), [(0.9, Truth.TRUE), (0.8, Truth.UNKNOWN), (0.01, Truth.UNKNOWN)]
)
def test_with_scope_window_only_a_sure_yes_comes_early(
    early: Moment, value: float, truth: Truth
) -> None:
    assert guard(reach=Reach.WINDOW).read(early("text", scores=risk(value))).value is truth


PARTS = (Segment(Origin.LAST, "text"), Segment(Origin.HISTORY, "attack"))


def test_history_does_not_count_unless_asked_for(whole: Moment) -> None:
    evidence = whole("text", segments=PARTS, scores=risk(0.1, 0.9))
    assert guard().read(evidence).value is Truth.FALSE
    reading = guard(Origin.HISTORY, reach=Reach.BODY).read(evidence)
    assert (reading.value, reading.score) == (Truth.TRUE, 0.9)


def test_unread_history_leaves_a_harmless_text_unknown(whole: Moment) -> None:
    signal = guard(Origin.HISTORY)
    assert signal.read(whole("text", segments=PARTS, scores=risk(0.1, None))).value is Truth.UNKNOWN
    assert signal.read(whole("text", segments=PARTS, scores=risk(0.9, None))).value is Truth.TRUE
    assert signal.read(whole("text", scores=risk(0.1))).value is Truth.FALSE


def test_history_alone_can_be_an_attack(whole: Moment) -> None:
    evidence = whole("", segments=PARTS[1:], scores=risk(0.9))
    assert guard(Origin.HISTORY).read(evidence).value is Truth.TRUE


def test_of_several_segments_the_worst_counts_and_the_text_does_not(whole: Moment) -> None:
    parts = (Segment(Origin.LAST, "a"), Segment(Origin.LAST, "b"))
    scores = Scores(jailbreak=0.99, segments=risk(0.1, 0.8).segments)
    assert guard().read(whole("a b", segments=parts, scores=scores)).score == 0.8


def test_the_turns_are_enough_for_a_rule_that_reads_no_more() -> None:
    turns = Evidence(text="text", turns=True, segments=PARTS[:1], scores=risk(0.1))
    assert guard().read(turns).value is Truth.FALSE
    assert guard(Origin.HISTORY, reach=Reach.BODY).read(turns).value is Truth.UNKNOWN


def contrastive(topics: Any, benign: tuple[str, ...] = ("attack law law law",)) -> JailbreakSignal:
    def bank(texts: tuple[str, ...]) -> PrototypeBank:
        return build_bank(texts, topics.embed(texts), PrototypeOptions())

    attacks = bank(("attack", "attack code"))
    return JailbreakSignal("guard", Reach.TURNS, 0.1, 0.85, frozenset(), attacks, bank(benign))


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("attack", Truth.TRUE),
        ("attack code", Truth.TRUE),
        ("attack law law", Truth.FALSE),
        ("cook", Truth.FALSE),
    ],
)
def test_contrastive_risk_is_nearness_to_attacks_over_benign_patterns(
    whole: Moment, topics: Any, text: str, truth: Truth
) -> None:
    signal = contrastive(topics)
    assert signal.heads == {"embedding"}
    assert signal.read(whole(text, scores=topics.scores(text))).value is truth


def test_without_benign_patterns_nearness_alone_counts(whole: Moment, topics: Any) -> None:
    evidence = whole("attack law law", scores=topics.scores("attack law law"))
    assert contrastive(topics, benign=()).read(evidence).value is Truth.TRUE


def test_without_prototypes_nothing_is_known(whole: Moment, topics: Any) -> None:
    signal = JailbreakSignal(
        "guard", Reach.TURNS, 0.1, 0.85, frozenset(), empty_bank(), empty_bank()
    )
    evidence = whole("attack", scores=topics.scores("attack"))
    assert signal.read(evidence).value is Truth.UNKNOWN
