import pytest

from srd.signals.base import Evidence, Scope, Truth
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
WHOLE = Evidence(text="a", settled=True, whole=True)


@pytest.mark.parametrize(
    ("scope", "evidence", "opened", "final"),
    [
        ("window", EARLY, True, False),
        ("window", SETTLED, True, True),
        ("window", WHOLE, True, True),
        ("full", EARLY, False, False),
        ("full", SETTLED, False, False),
        ("full", WHOLE, True, True),
    ],
)
def test_scope_full_waits_for_the_end_and_scope_window_for_its_window(
    scope: Scope, evidence: Evidence, opened: bool, final: bool
) -> None:
    assert is_open(scope, evidence) is opened
    assert is_final(scope, evidence) is final


def test_text_is_blank_only_once_no_more_will_come() -> None:
    assert not is_blank("window", Evidence(text=" "))
    assert is_blank("window", Evidence(text=" \n", settled=True))
    assert not is_blank("full", Evidence(text="", settled=True))
    assert not is_blank("window", SETTLED)


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
