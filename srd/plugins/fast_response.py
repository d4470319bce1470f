"""`fast_response`: a fixed answer instead of a model, shaped like a model's.

Why this file exists: one file per plugin; blocking decisions end here (upstream section 1.10). It
must not know why a decision matched.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from srd.decide.models import ROUTER_MODEL
from srd.plugins.errors import JSON_TYPE, SCHEMA_VERSION, Immediate
from srd.plugins.headers import header_value

if TYPE_CHECKING:
    from srd.config.plugins import FastResponseConfig
    from srd.decide.decision import Decision

_USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def fast_response(
    config: FastResponseConfig, decision: Decision, *, streaming: bool, now: float
) -> Immediate:
    """200 with the message as one chat completion, or as SSE when the client streams.

    `now` is Unix time in seconds; it makes the id and `created`.
    """
    created = int(now)
    envelope = {"id": f"chatcmpl-fast-{created}", "created": created, "model": ROUTER_MODEL}
    body = _stream(envelope, config.message) if streaming else _whole(envelope, config.message)
    return Immediate(
        200,
        (
            ("content-type", b"text/event-stream") if streaming else JSON_TYPE,
            SCHEMA_VERSION,
            ("x-vsr-response-path", b"fast_response"),
            ("x-vsr-fast-response", b"true"),
            ("x-vsr-selected-decision", header_value(decision.name or "")),
            ("x-vsr-decision-basis", decision.basis.value.encode("ascii")),
        ),
        body,
    )


def _whole(envelope: dict[str, object], message: str) -> bytes:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": message},
        "finish_reason": "stop",
    }
    answer = envelope | {"object": "chat.completion", "choices": [choice], "usage": _USAGE}
    return json.dumps(answer).encode("ascii")


def _stream(envelope: dict[str, object], message: str) -> bytes:
    said = {
        "index": 0,
        "delta": {"role": "assistant", "content": message},
        "finish_reason": None,
    }
    stop = {"index": 0, "delta": {}, "finish_reason": "stop"}
    kind = {"object": "chat.completion.chunk"}
    chunks = (
        envelope | kind | {"choices": [said]},
        envelope | kind | {"choices": [stop], "usage": _USAGE},
    )
    frames = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return "".join([*frames, "data: [DONE]\n\n"]).encode("ascii")
