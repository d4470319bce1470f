"""A fixed text as an answer of each API, whole or as its stream of events.

Why this file exists: clients parse what their API documents and nothing else, and four APIs differ
in every member. Pure functions of a text and a time. It must not know why the text is the answer.

All four claim the model "router" and no tokens, as upstream's chat completion does. Times are Unix
seconds; they make the ids too. Bodies are ASCII: other characters are escaped as JSON has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from srd.body.shapes import Api
from srd.decide.models import ROUTER_MODEL

Object = Mapping[str, object]

DONE = b"data: [DONE]\n\n"
_USAGE: Object = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


@dataclass(frozen=True, slots=True)
class Answer:
    """How one API answers: from the text and the time to a body."""

    whole: Callable[[str, int], bytes]
    events: Callable[[str, int], bytes]


def _dump(value: Object) -> bytes:
    return json.dumps(value).encode("ascii")


def _data(value: Object) -> bytes:
    return b"data: " + _dump(value) + b"\n\n"


def _event(value: Object) -> bytes:
    """An event that is named by its `type`, as Responses and Messages have them."""
    return b"event: " + str(value["type"]).encode("ascii") + b"\n" + _data(value)


# -- chat completions


def _chat_envelope(now: int, kind: str) -> Object:
    return {
        "id": f"chatcmpl-fast-{now}",
        "object": kind,
        "created": now,
        "model": ROUTER_MODEL,
    }


def _chat_whole(text: str, now: int) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    envelope = _chat_envelope(now, "chat.completion")
    return _dump({**envelope, "choices": [choice], "usage": _USAGE})


def _chat_events(text: str, now: int) -> bytes:
    envelope = _chat_envelope(now, "chat.completion.chunk")
    said = {
        "index": 0,
        "delta": {"role": "assistant", "content": text},
        "finish_reason": None,
    }
    stop = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return b"".join(
        (
            _data({**envelope, "choices": [said]}),
            _data({**envelope, "choices": [stop], "usage": _USAGE}),
            DONE,
        )
    )


# -- completions


def _completion(text: str, now: int, finish: str | None, **more: object) -> Object:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return {
        "id": f"cmpl-fast-{now}",
        "object": "text_completion",
        "created": now,
        "model": ROUTER_MODEL,
        "choices": [choice],
        **more,
    }


def _completion_whole(text: str, now: int) -> bytes:
    return _dump(_completion(text, now, "stop", usage=_USAGE))


def _completion_events(text: str, now: int) -> bytes:
    stop = _completion("", now, "stop", usage=_USAGE)
    return _data(_completion(text, now, None)) + _data(stop) + DONE


# -- Responses

_RESPONSE_USAGE: Object = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}


def _part(text: str) -> Object:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(now: int, status: str, content: list[Object]) -> Object:
    return {
        "id": f"msg_fast_{now}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def _response(now: int, status: str, output: list[Object], usage: Object | None) -> Object:
    return {
        "id": f"resp_fast_{now}",
        "object": "response",
        "created_at": now,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": ROUTER_MODEL,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage,
    }


def _response_whole(text: str, now: int) -> bytes:
    item = _item(now, "completed", [_part(text)])
    return _dump(_response(now, "completed", [item], _RESPONSE_USAGE))


def _response_events(text: str, now: int) -> bytes:
    item = _item(now, "completed", [_part(text)])
    begun = _response(now, "in_progress", [], None)
    where: Object = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    events: tuple[Object, ...] = (
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": _item(now, "in_progress", []),
        },
        {"type": "response.content_part.added", **where, "part": _part("")},
        {"type": "response.output_text.delta", **where, "delta": text, "logprobs": []},
        {"type": "response.output_text.done", **where, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **where, "part": _part(text)},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {
            "type": "response.completed",
            "response": _response(now, "completed", [item], _RESPONSE_USAGE),
        },
    )
    return b"".join(
        _event({**event, "sequence_number": number}) for number, event in enumerate(events)
    )


# -- Messages


def _message(now: int, content: list[Object], stop_reason: str | None) -> Object:
    return {
        "id": f"msg_fast_{now}",
        "type": "message",
        "role": "assistant",
        "model": ROUTER_MODEL,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def _message_whole(text: str, now: int) -> bytes:
    return _dump(_message(now, [{"type": "text", "text": text}], "end_turn"))


def _message_events(text: str, now: int) -> bytes:
    events: tuple[Object, ...] = (
        {"type": "message_start", "message": _message(now, [], None)},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": text},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 0},
        },
        {"type": "message_stop"},
    )
    return b"".join(_event(event) for event in events)


ANSWERS: Mapping[Api, Answer] = MappingProxyType(
    {
        Api.CHAT: Answer(_chat_whole, _chat_events),
        Api.COMPLETIONS: Answer(_completion_whole, _completion_events),
        Api.RESPONSES: Answer(_response_whole, _response_events),
        Api.ANTHROPIC: Answer(_message_whole, _message_events),
    }
)
