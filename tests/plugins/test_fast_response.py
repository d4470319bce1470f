"""The fixed answer: its headers, and when it streams. What it looks like is test_answers'."""

import pytest

from srd.body.shapes import Api
from srd.plugins.answers import ANSWERS
from srd.plugins.fast_response import ENTRY

MESSAGE = "Not “here”."


@pytest.fixture
def answer(situation):
    def build(**changes):
        return ENTRY.plan(situation("blocked", **changes)).immediate

    return build


@pytest.mark.parametrize(
    ("stream", "kind"), [(False, b"application/json"), (True, b"text/event-stream")]
)
@pytest.mark.parametrize("api", Api)
def test_its_headers_say_what_it_is(answer, api, stream, kind):
    response = answer(api=api, stream=stream)
    assert response.status == 200
    assert dict(response.headers) == {
        "content-type": kind,
        "x-vsr-schema-version": b"2",
        "x-vsr-response-path": b"fast_response",
        "x-vsr-fast-response": b"true",
        "x-vsr-selected-decision": b"blocked",
        "x-vsr-decision-basis": b"complete",
    }


@pytest.mark.parametrize("api", Api)
def test_it_speaks_the_requests_own_api_streaming_as_the_body_says(answer, api):
    whole, events = ANSWERS[api].whole, ANSWERS[api].events
    assert answer(api=api, stream=True).body == events(MESSAGE, 1700000000)
    assert answer(api=api, stream=False).body == whole(MESSAGE, 1700000000)
    assert answer(api=api, stream=None).body == whole(MESSAGE, 1700000000)


def test_only_a_decision_with_the_plugin_answers(situation):
    assert ENTRY.plan(situation("math")) is None
    assert ENTRY.plan(situation(None)) is None
