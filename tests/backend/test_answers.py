"""The shapes of the answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from srd.backend import answers
from srd.backend.answers import SHAPES, Reply


def reply(**fields: Any) -> Reply:
    return answers.compose(fields, model="math-expert", size=10, request_id="r1")


def streamed(path: str, **fields: Any) -> list[Any]:
    """The data of each event of a stream, parsed; [DONE] stays a string."""
    blocks = b"".join(SHAPES[path].events(reply(**fields))).decode().split("\n\n")
    assert blocks.pop() == ""
    data = [block.rpartition("data: ")[2] for block in blocks]
    return [item if item == "[DONE]" else json.loads(item) for item in data]


@pytest.mark.parametrize(
    "fields",
    [
        {
            "messages": [
                {"role": "user", "content": "old"},
                {"role": "user", "content": "two apples"},
            ]
        },
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "two apples"}]}]},
        {"input": "two apples"},
        {"prompt": ["two apples"]},
    ],
)
def test_every_shape_answers_the_last_user_text(fields: dict[str, Any]) -> None:
    answer = reply(**fields)
    assert '"two apples"' in answer.text
    assert answer.prompt_tokens == 2


def test_max_tokens_cuts_the_answer_and_says_so() -> None:
    document = answers.Chat.document(reply(max_tokens=2))
    assert document["choices"][0]["finish_reason"] == "length"
    assert document["usage"]["completion_tokens"] == 2


def test_a_chat_stream_is_role_then_words_then_finish_then_done() -> None:
    *chunks, done = streamed("/v1/chat/completions", max_tokens=3)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert done == "[DONE]"
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(d.get("content", "") for d in deltas) == reply(max_tokens=3).text
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None] * 4 + ["length"]
    assert {chunk["id"] for chunk in chunks} == {"chatcmpl-r1"}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_the_usage_chunk_comes_on_request_only_and_last(path: str) -> None:
    asked = streamed(path, stream_options={"include_usage": True})
    assert asked[-2]["choices"] == []
    assert asked[-2]["usage"]["completion_tokens"] == len(reply().words)
    assert all("usage" not in chunk for chunk in streamed(path)[:-1])


@pytest.mark.parametrize(
    ("path", "text_of"),
    [
        ("/v1/completions", lambda e: "".join(c["choices"][0]["text"] for c in e[:-1])),
        ("/v1/responses", lambda e: "".join(c.get("delta", "") for c in e)),
        (
            "/v1/messages",
            lambda e: "".join(c["delta"].get("text", "") for c in e if "delta" in c),
        ),
    ],
)
def test_the_pieces_of_every_stream_join_to_the_whole_answer(path: str, text_of: Any) -> None:
    assert text_of(streamed(path)) == reply().text


def test_a_messages_stream_has_anthropics_events_in_order() -> None:
    kinds = [event["type"] for event in streamed("/v1/messages", max_tokens=1)]
    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_responses_stream_ends_with_the_completed_response() -> None:
    events = streamed("/v1/responses")
    assert events[0]["response"]["status"] == "in_progress"
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == reply().text
    assert [e["sequence_number"] for e in events] == list(range(len(events)))


def test_an_unknown_model_is_refused_in_vllms_words() -> None:
    assert answers.model_not_found("auto") == {
        "error": {
            "message": "The model `auto` does not exist.",
            "type": "NotFoundError",
            "param": "model",
            "code": 404,
        }
    }


def test_adapters_are_listed_with_the_base_as_their_parent() -> None:
    data = answers.model_list("base", ("one", "two"))["data"]
    assert [(m["id"], m["parent"]) for m in data] == [
        ("base", None),
        ("one", "base"),
        ("two", "base"),
    ]
