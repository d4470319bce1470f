"""What clients are told: status codes, their own words cut short, and what may have been meant."""

from __future__ import annotations

import json

import pytest

from srd.body.inflate import InflateError, InflateLimit
from srd.body.scanner import BodyError
from srd.exchange import refusals


def told(refused) -> str:
    return json.loads(refused.body)["error"]["message"]


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        (refusals.too_large(5), 413),
        (refusals.too_late(), 408),
        (refusals.only_a_part(), 413),
        (refusals.batch_unread(), 413),
        (refusals.not_routed("auto", "/v1/embeddings"), 400),
        (refusals.no_text(3), 400),
        (refusals.no_prompt(), 400),
        (refusals.hidden_prompt(), 415),
        (refusals.not_readable("charset"), 415),
        (refusals.unreadable(BodyError(7, "a comma")), 400),
        (refusals.unreadable(InflateError("damaged")), 400),
        (refusals.unreadable(InflateLimit("too much")), 413),
    ],
)
def test_each_fault_has_its_status(refused, status):
    assert refused.status == status
    assert json.loads(refused.body)["error"]["code"] == status


@pytest.mark.parametrize(("wait", "told_as"), [(None, b"60"), (2, b"2"), (0, None)])
def test_an_unanswered_policy_says_so_and_nothing_of_its_rules(wait, told_as):
    refused = refusals.policy_unanswered(wait)
    error = json.loads(refused.body)["error"]
    assert refused.status == 503
    assert (error["code"], error["type"]) == ("policy_unanswered", "server_error")
    assert dict(refused.headers).get("retry-after") == told_as


def test_malformed_json_is_told_with_its_place():
    assert "a comma at byte 7" in told(refusals.unreadable(BodyError(7, "a comma")))


def test_what_a_client_wrote_is_cut_short_and_its_query_is_not_repeated():
    text = told(refusals.not_routed("n" * 999, "/v1/embeddings?secret=1"))
    assert "n" * 200 in text
    assert "n" * 201 not in text
    assert "/v1/embeddings:" in text
    assert "secret" not in text


def test_a_name_that_is_nearly_known_gets_a_suggestion():
    known = frozenset({"math-expert", "law-expert"})
    assert "did you mean 'math-expert'" in told(refusals.unavailable("math-export", known))
    assert "did you mean" not in told(refusals.unavailable("zzz", known))


def test_whoever_watches_is_told_which_leaves_were_open_and_the_client_is_not():
    refused = refusals.policy_unanswered(leaves=["pii:any@block", "domain:law", "domain:law@block"])
    assert refused.reason == "policy_unanswered: domain:law, pii:any"
    assert refused.of_request("r-1").reason == refused.reason
    assert b"pii" not in refused.of_request("r-1").body
    assert refusals.policy_unanswered().reason == "policy_unanswered"
