import pytest

from srd.signals.base import UNKNOWN, Evidence, Reading, Truth


@pytest.mark.parametrize(
    ("value", "negated"),
    [
        (Truth.TRUE, Truth.FALSE),
        (Truth.FALSE, Truth.TRUE),
        (Truth.UNKNOWN, Truth.UNKNOWN),
    ],
)
def test_negation_is_kleenes(value: Truth, negated: Truth) -> None:
    assert ~value is negated


def test_an_unknown_reading_has_no_confidence() -> None:
    assert Reading(Truth.UNKNOWN, confidence=0.0) == UNKNOWN


def test_evidence_without_a_body_is_empty_and_open() -> None:
    evidence = Evidence()
    assert (evidence.text, evidence.settled, evidence.whole) == ("", False, False)
    assert evidence.scores is None


@pytest.mark.parametrize(("turns", "whole"), [(False, True), (True, True), (True, False)])
def test_the_whole_body_holds_all_turns(turns: bool, whole: bool) -> None:
    assert Evidence(turns=turns, whole=whole).turns
    assert not Evidence(settled=True).turns
