import pytest

from srd.signals.base import Evidence, Reach, Truth
from srd.signals.readings import (
    RuleError,
    history_text,
    is_blank,
    is_final,
    is_open,
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


def test_history_is_everything_but_the_evaluated_message() -> None:
    evidence = Evidence(text="now", non_user=("be nice", " "), prior_user=("before",))
    assert history_text(evidence) == "be nice\nbefore"
    assert history_text(Evidence(text="now")) == ""


def test_a_no_keeps_its_score_but_not_the_confidence_or_detail_of_a_yes() -> None:
    yes, no = yes_or_no(True, 0.7, 0.6, "math"), yes_or_no(False, 0.7, 0.6, "math")
    assert (yes.value, yes.confidence, yes.score, yes.detail) == (Truth.TRUE, 0.7, 0.6, "math")
    assert (no.value, no.confidence, no.score, no.detail) == (Truth.FALSE, 1.0, 0.6, "")


def test_a_rule_error_names_the_rule() -> None:
    assert str(RuleError("urgent", "too large")) == 'rule "urgent": too large'
