from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from srd.signals.base import Evidence, Reach, Truth
from srd.signals.event import EventRule, EventSignal, compile_event

Moment = Callable[..., Evidence]


def event(reach: Reach = Reach.TURNS, **rule: Any) -> EventSignal:
    return compile_event(msgspec.convert({"name": "rule", **rule}, EventRule), reach)


INCIDENT = {
    "event_types": ["outage", "disk full"],
    "severities": ["critical", "high"],
    "action_codes": ["PAGE-1"],
    "temporal": True,
}


@pytest.mark.parametrize(
    ("text", "matched", "confidence"),
    [
        ("OUTAGE in eu", "event_type", 0.625),
        ("disk full, critical", "event_type, severity", 0.75),
        ("outage critical page-1 now", "event_type, severity, action_code, temporal", 1.0),
        ("time-sensitive", "temporal", 0.625),
        ("time—sensitive", "temporal", 0.625),
        ("现在outage了", "event_type", 0.625),
        ("the critical window is short", "severity, temporal", 0.75),
    ],
)
def test_each_list_is_one_criterion(
    whole: Moment, text: str, matched: str, confidence: float
) -> None:
    reading = event(**INCIDENT).read(whole(text))
    assert (reading.value, reading.detail) == (Truth.TRUE, matched)
    assert reading.confidence == pytest.approx(confidence)


@pytest.mark.parametrize("text", ["outages", "highly", "page-12", "nowhere", "", "\ud800"])
def test_only_whole_words_count(whole: Moment, text: str) -> None:
    assert event(**INCIDENT).read(whole(text)).value is Truth.FALSE


def test_words_of_any_script_have_borders(whole: Moment) -> None:
    signal = event(event_types=["авария", "c++"])
    assert signal.read(whole("Авария!")).value is Truth.TRUE
    assert signal.read(whole("авариями")).value is Truth.FALSE
    assert signal.read(whole("crash in C++")).value is Truth.TRUE


@pytest.mark.parametrize("rule", [{}, {"event_types": [" ", ""]}])
def test_a_rule_without_criteria_never_matches(whole: Moment, rule: dict[str, Any]) -> None:
    assert event(**rule).read(whole("urgent outage")).value is Truth.FALSE


def test_a_long_text_is_read_at_its_head_middle_and_tail(whole: Moment) -> None:
    filler = "x " * 5000
    assert event(**INCIDENT).read(whole(filler + filler + "outage")).value is Truth.TRUE
    assert event(**INCIDENT).read(whole(filler + "outage " + filler)).value is Truth.TRUE
    assert (
        event(**INCIDENT).read(whole("x " * 1000 + "outage" + filler + filler)).value is Truth.FALSE
    )


def test_with_scope_window_a_match_is_an_answer_and_a_miss_is_not(
    early: Moment, settled: Moment
) -> None:
    signal = event(Reach.WINDOW, **INCIDENT)
    assert signal.read(early("an outage in")).value is Truth.TRUE
    assert signal.read(early("an outage")).value is Truth.UNKNOWN
    assert signal.read(settled("nothing")).value is Truth.FALSE


def test_by_default_it_waits_for_the_end_of_the_body(settled: Moment) -> None:
    assert event(**INCIDENT).read(settled("outage ")).value is Truth.UNKNOWN
