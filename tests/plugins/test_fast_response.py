"""The fixed answer, whole and streamed."""

import json

import pytest

from srd.config.plugins import FastResponseConfig
from srd.plugins.fast_response import fast_response

MESSAGE = "Not “here”\nnor there."


@pytest.fixture
def answer(decide):
    def build(*, streaming):
        config = FastResponseConfig(message=MESSAGE)
        return fast_response(config, decide("blocked"), streaming=streaming, now=1700000000.9)

    return build


def test_it_is_a_chat_completion_of_the_router(answer):
    body = json.loads(answer(streaming=False).body)
    assert body["id"] == "chatcmpl-fast-1700000000"
    assert (body["object"], body["created"]) == ("chat.completion", 1700000000)
    assert body["model"] == "router"
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": MESSAGE},
            "finish_reason": "stop",
        }
    ]
    assert body["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize(
    ("streaming", "kind"), [(False, b"application/json"), (True, b"text/event-stream")]
)
def test_its_headers_say_what_it_is(answer, streaming, kind):
    response = answer(streaming=streaming)
    assert response.status == 200
    assert dict(response.headers) == {
        "content-type": kind,
        "x-vsr-schema-version": b"2",
        "x-vsr-response-path": b"fast_response",
        "x-vsr-fast-response": b"true",
        "x-vsr-selected-decision": b"blocked",
        "x-vsr-decision-basis": b"complete",
    }


def test_a_streaming_client_gets_chunks_that_add_up_and_done(answer):
    frames = answer(streaming=True).body.decode("ascii").split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames[:-2]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta.get("content", "") for delta in deltas) == MESSAGE
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, "stop"]
