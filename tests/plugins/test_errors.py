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
