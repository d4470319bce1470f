"""The Decision as response headers."""

import pytest

from srd.decide.decision import Basis, SignalFact
from srd.evidence.account import Account, Said
from srd.plugins.response_headers import response_headers

SIGNALS = (
    SignalFact("domain", "math", "true", 0.9),
    SignalFact("domain", "law", "false"),
    SignalFact("keyword", "b", "true"),
    SignalFact("keyword", "a", "true"),
    SignalFact("user_feedback", "satisfied", "true"),
    SignalFact("metadata", "tenant", "true"),
    SignalFact("context", "long", "false", score=1234.0),
)


def test_a_success_says_where_it_went_and_why(decide):
    assert dict(response_headers(decide("math"), status=200)) == {
        "x-vsr-schema-version": b"2",
        "x-vsr-response-path": b"upstream",
        "x-vsr-selected-model": b"math-expert",
        "x-vsr-selected-decision": b"math",
        "x-vsr-selected-category": b"math",
        "x-vsr-selected-confidence": b"0.9000",
        "x-vsr-selected-reasoning": b"on",
        "x-vsr-selected-algorithm": b"single",
        "x-vsr-decision-basis": b"complete",
    }


@pytest.mark.parametrize("status", [400, 404, 429, 500, 599])
def test_a_failure_says_which_model_failed_and_no_more(decide, status):
    assert dict(response_headers(decide("math"), status=status)) == {
        "x-vsr-schema-version": b"2",
        "x-vsr-response-path": b"upstream",
        "x-vsr-selected-model": b"math-expert",
    }


@pytest.mark.parametrize("status", [0, 199, 302, 304])
def test_anything_else_says_only_that_upstream_answered(decide, status):
    assert dict(response_headers(decide("math"), status=status)) == {
        "x-vsr-schema-version": b"2",
        "x-vsr-response-path": b"upstream",
    }


def test_without_a_decision_there_is_no_confidence_and_no_empty_header(decide):
    headers = dict(response_headers(decide(None, basis=Basis.EXPLICIT), status=204))
    assert headers["x-vsr-decision-basis"] == b"explicit"
    assert (
        not {
            "x-vsr-selected-decision",
            "x-vsr-selected-confidence",
            "x-vsr-selected-reasoning",
            "x-vsr-selected-category",
        }
        & headers.keys()
    )


def test_a_decision_that_does_not_think_says_off(decide):
    headers = dict(response_headers(decide("plain"), status=200))
    assert headers["x-vsr-selected-reasoning"] == b"off"


def test_debug_lists_what_matched_by_type(decide):
    decision = decide("math", signals=SIGNALS, plugins=("system_prompt",))
    quiet = dict(response_headers(decision, status=200))
    loud = dict(response_headers(decision, status=200, debug=True))
    assert {key: value for key, value in loud.items() if key not in quiet} == {
        "x-vsr-matched-domains": b"math",
        "x-vsr-matched-keywords": b"b,a",
        "x-vsr-matched-user-feedback": b"satisfied",
        "x-vsr-injected-system-prompt": b"true",
        "x-vsr-context-token-count": b"1234",
        "x-vsr-decision-bytes": b"0/?",
    }


def test_a_signal_that_matched_in_both_its_uses_is_listed_once(decide):
    both = (SignalFact("keyword", "a", "true", blocking=True), SignalFact("keyword", "a", "true"))
    headers = dict(response_headers(decide("math", signals=both), status=200, debug=True))
    assert headers["x-vsr-matched-keywords"] == b"a"


def test_no_name_of_a_document_can_forge_a_header(decide):
    headers = response_headers(decide("math", name="a\r\nset-cookie: x"), status=200)
    assert all(32 <= byte < 127 for _, value in headers for byte in value)


def test_debug_says_which_turn_decided_and_nobody_else_is_told(decide):
    turns = (Said(0, 40, 60, "math", 0.97), Said(2, 90, 99, "other", 0.41))
    held = "held since turn 1: math .97; turn 2 said other .41"
    account = Account(turns=turns, decides=0, held=held, unread=120)
    decision = decide("math", account=account)
    name = "x-vsr-decision-evidence"
    told = dict(response_headers(decision, status=200, debug=True))[name]
    assert told == f"turn 1 of 2; {held}; 120 characters unread".encode()
    assert name not in dict(response_headers(decision, status=200))
    named = decide(None, basis=Basis.EXPLICIT)
    assert name not in dict(response_headers(named, status=200, debug=True))
