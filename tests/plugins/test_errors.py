"""Refusals: upstream's JSON error with its headers."""

import json

import pytest

from srd.plugins.errors import Immediate, refusal


@pytest.mark.parametrize("status", [400, 403, 404, 405, 408, 413, 503])
def test_a_refusal_is_a_json_error_with_its_code(status):
    answer = refusal(status, "no")
    assert answer.status == status
    assert json.loads(answer.body) == {
        "error": {"message": "no", "type": "invalid_request_error", "code": status}
    }
    assert dict(answer.headers)["content-type"] == b"application/json"
    assert dict(answer.headers)["x-vsr-schema-version"] == b"2"
    assert dict(answer.headers)["x-vsr-response-path"] == b"error"


def test_too_many_requests_has_its_own_type_and_path():
    answer = refusal(429, "slow down", retry_after=7)
    assert json.loads(answer.body)["error"]["type"] == "rate_limit_error"
    assert dict(answer.headers)["x-vsr-response-path"] == b"rate_limited"
    assert dict(answer.headers)["retry-after"] == b"7"


def test_only_temporary_refusals_say_when_to_come_back():
    assert dict(refusal(503, "busy").headers)["retry-after"] == b"60"
    assert "retry-after" not in dict(refusal(400, "bad").headers)
    assert dict(refusal(408, "late", retry_after=1).headers)["retry-after"] == b"1"


def test_any_text_becomes_valid_utf8_json():
    answer = refusal(400, 'quote " newline \n emoji 🙂 lone \ud800')
    assert json.loads(answer.body.decode("utf-8"))["error"]["message"].startswith('quote " newline')


def test_the_repr_does_not_spill_the_body():
    assert repr(Immediate(200, body=b"abc")) == "<Immediate 200 3 B>"


def test_a_refusal_names_the_request_that_it_is_for():
    answer = refusal(415, "no").of_request("r-1")
    assert json.loads(answer.body) == {
        "error": {"message": "no", "type": "invalid_request_error", "code": 415},
        "request_id": "r-1",
    }
    assert dict(answer.headers)["x-request-id"] == b"r-1"
    messages = refusal(503, "no", code="policy_unanswered", kind="server_error")
    assert json.loads(messages.of_request("r-2", anthropic=True).body) == {
        "type": "error",
        "error": {"message": "no", "type": "server_error", "code": "policy_unanswered"},
        "request_id": "r-2",
    }


@pytest.mark.parametrize("odd", ["", "a b", "r\n", "é", "x" * 129])
def test_an_id_that_may_not_stand_in_a_header_is_not_repeated(odd):
    answer = refusal(400, "no")
    assert answer.of_request(odd) == answer


def test_an_answer_that_is_no_refusal_stays_as_it_is():
    answer = Immediate(200, body=b"{}")
    assert answer.of_request("r-1", anthropic=True) is answer
