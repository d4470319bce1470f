from collections.abc import Callable

import pytest

from srd.classify.api import PiiSpan, Scores, SegmentScores
from srd.signals.base import Evidence, Origin, Reach, Segment, Truth
from srd.signals.pii import PiiSignal

Moment = Callable[..., Evidence]


def pii(
    *allowed: str,
    reach: Reach = Reach.TURNS,
    threshold: float = 0.9,
    origins: tuple[Origin, ...] = (),
) -> PiiSignal:
    return PiiSignal(
        "pii", reach, threshold, frozenset(allowed), 0.85, frozenset({Origin.LAST, *origins})
    )


def found_in(*found: tuple[str, float]) -> tuple[PiiSpan, ...]:
    return tuple(PiiSpan(0, 4, label, confidence) for label, confidence in found)


def spans(*found: tuple[str, float]) -> Scores:
    """Of the text, and of the one segment."""
    return Scores(pii=found_in(*found), segments=(SegmentScores(pii=found_in(*found)),))


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ([], Truth.FALSE),
        ([("PERSON", 0.95)], Truth.TRUE),
        ([("PERSON", 0.9)], Truth.TRUE),
        ([("PERSON", 0.89)], Truth.FALSE),
        ([("email_address", 0.99)], Truth.FALSE),
        ([("EMAIL_ADDRESS", 0.99), ("US_SSN", 0.91)], Truth.TRUE),
        ([("NO_PII", 0.99)], Truth.FALSE),
    ],
)
def test_a_sure_span_of_a_forbidden_type_matches(
    whole: Moment, found: list[tuple[str, float]], value: Truth
) -> None:
    reading = pii("EMAIL_ADDRESS").read(whole("text", scores=spans(*found)))
    assert reading.value is value


def test_the_reading_names_types_and_the_surest_span(whole: Moment) -> None:
    found = spans(("US_SSN", 0.92), ("PERSON", 0.97), ("PERSON", 0.91))
    reading = pii().read(whole("text", scores=found))
    assert (reading.detail, reading.confidence) == ("PERSON, US_SSN", 0.97)


@pytest.mark.parametrize("scores", [None, Scores()])
def test_without_spans_nothing_is_known(whole: Moment, scores: Scores | None) -> None:
    assert pii().read(whole("text", scores=scores)).value is Truth.UNKNOWN


def test_no_text_holds_nothing(whole: Moment) -> None:
    assert pii().read(whole("")).value is Truth.FALSE


def test_it_says_nothing_before_the_body_has_ended(settled: Moment) -> None:
    assert pii().read(settled("text", scores=spans(("PERSON", 1.0)))).value is Truth.UNKNOWN


def test_with_scope_window_a_sure_span_comes_early_and_a_no_does_not(
    early: Moment, settled: Moment
) -> None:
    signal = pii(reach=Reach.WINDOW, threshold=0.4)
    assert signal.read(early("t", scores=spans(("PERSON", 0.9)))).value is Truth.TRUE
    assert signal.read(early("t", scores=spans(("PERSON", 0.5)))).value is Truth.UNKNOWN
    assert signal.read(early("t", scores=spans())).value is Truth.UNKNOWN
    assert signal.read(settled("t", scores=spans(("PERSON", 0.5)))).value is Truth.TRUE
    assert signal.read(settled("t", scores=spans())).value is Truth.FALSE


PARTS = (Segment(Origin.LAST, "t"), Segment(Origin.HISTORY, "b"))


def test_history_counts_when_asked_for(whole: Moment) -> None:
    scored = (SegmentScores(pii=()), SegmentScores(pii=found_in(("PERSON", 0.95))))
    evidence = whole("t", segments=PARTS, scores=Scores(segments=scored))
    assert pii().read(evidence).value is Truth.FALSE
    assert pii(origins=(Origin.HISTORY,)).read(evidence).value is Truth.TRUE


def test_unread_history_leaves_it_unknown(whole: Moment) -> None:
    scored = (SegmentScores(pii=()), SegmentScores())
    evidence = whole("t", segments=PARTS, scores=Scores(segments=scored))
    assert pii(origins=(Origin.HISTORY,)).read(evidence).value is Truth.UNKNOWN
