import pytest

from srd.classify.api import Scores, SegmentScores
from srd.signals.base import Evidence, Origin, Reach, Segment, Truth
from srd.signals.readings import (
    RuleError,
    is_blank,
    is_final,
    is_open,
    origins_of,
    said,
    segment_scores,
    segments,
    yes_or_no,
)

EARLY = Evidence(text="a")
SETTLED = Evidence(text="a", settled=True)
TURNS = Evidence(text="a", turns=True)
WHOLE = Evidence(text="a", whole=True)


@pytest.mark.parametrize(
    ("reach", "evidence", "opened", "final"),
    [
        (Reach.WINDOW, EARLY, True, False),
        (Reach.WINDOW, SETTLED, True, True),
        (Reach.WINDOW, TURNS, True, True),
        (Reach.WINDOW, WHOLE, True, True),
        (Reach.TURNS, EARLY, False, False),
        (Reach.TURNS, SETTLED, False, False),
        (Reach.TURNS, TURNS, True, True),
        (Reach.TURNS, WHOLE, True, True),
        (Reach.BODY, EARLY, False, False),
        (Reach.BODY, SETTLED, False, False),
        (Reach.BODY, TURNS, False, False),
        (Reach.BODY, WHOLE, True, True),
    ],
)
def test_each_reach_waits_for_its_own_end(
    reach: Reach, evidence: Evidence, opened: bool, final: bool
) -> None:
    assert is_open(reach, evidence) is opened
    assert is_final(reach, evidence) is final


def test_text_is_blank_only_once_no_more_will_come() -> None:
    assert not is_blank(Reach.WINDOW, Evidence(text=" "))
    assert is_blank(Reach.WINDOW, Evidence(text=" \n", settled=True))
    assert not is_blank(Reach.TURNS, Evidence(text="", settled=True))
    assert not is_blank(Reach.WINDOW, SETTLED)


ALL = tuple(Segment(origin, origin.name.lower()) for origin in Origin)


@pytest.mark.parametrize(
    ("blocking", "history", "tools", "heard"),
    [
        (False, False, False, {"last"}),
        (False, True, False, {"last", "prior", "history"}),
        (False, False, True, {"last", "tools"}),
        (True, False, False, {"last", "prior", "other", "repeated"}),
        (True, True, True, {"last", "prior", "other", "repeated", "history", "tools"}),
    ],
)
def test_whose_words_count_depends_on_the_use_and_the_rule(
    blocking: bool, history: bool, tools: bool, heard: set[str]
) -> None:
    origins = origins_of(blocking=blocking, history=history, tools=tools)
    assert {one.text for one in segments(origins, Evidence(segments=ALL))} == heard


def test_scores_belong_to_the_segment_at_their_place() -> None:
    said = (Segment(Origin.HISTORY, "h"), Segment(Origin.LAST, " "), Segment(Origin.LAST, "l"))
    scored = tuple(SegmentScores(jailbreak=risk) for risk in (0.1, 0.2, 0.3))
    evidence = Evidence(segments=said, scores=Scores(segments=scored))
    assert segment_scores(frozenset({Origin.LAST}), evidence) == [scored[2]]
    assert segment_scores(frozenset({Origin.TOOLS}), evidence) == []


@pytest.mark.parametrize("scores", [None, Scores(), Scores(segments=(SegmentScores(),) * 2)])
def test_an_answer_to_another_question_is_none(scores: Scores | None) -> None:
    evidence = Evidence(segments=(Segment(Origin.LAST, "l"),), scores=scores)
    assert segment_scores(frozenset({Origin.LAST}), evidence) == [None]


def test_the_raw_text_is_the_text_until_there_is_one() -> None:
    assert said("raw", Evidence(text="a", raw="<b/>a")) == "<b/>a"
    assert said("raw", Evidence(text="a")) == "a"
    for source in ("", "human"):
        assert said(source, Evidence(text="a", raw="<b/>a")) == "a"


def test_a_no_keeps_its_score_but_not_the_confidence_or_detail_of_a_yes() -> None:
    yes, no = yes_or_no(True, 0.7, 0.6, "math"), yes_or_no(False, 0.7, 0.6, "math")
    assert (yes.value, yes.confidence, yes.score, yes.detail) == (Truth.TRUE, 0.7, 0.6, "math")
    assert (no.value, no.confidence, no.score, no.detail) == (Truth.FALSE, 1.0, 0.6, "")


def test_a_rule_error_names_the_rule() -> None:
    assert str(RuleError("urgent", "too large")) == 'rule "urgent": too large'
