"""`fast_response`: a fixed answer instead of a model, shaped like a model's.

Why this file exists: one file per plugin; blocking decisions end here. It must not know why a
decision matched, nor what an answer of each API looks like (srd.plugins.answers does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srd.config.plugins import FastResponseConfig
from srd.plugins.answers import ANSWERS
from srd.plugins.entry import Phase, PluginEdits, document_plugin
from srd.plugins.errors import JSON_TYPE, SCHEMA_VERSION, Immediate
from srd.plugins.headers import header_value

if TYPE_CHECKING:
    from srd.plugins.entry import Situation

SSE_TYPE = ("content-type", b"text/event-stream")


def edits(config: FastResponseConfig, situation: Situation) -> PluginEdits:
    """200 with the message as one answer of the request's API: as that API's events when the body
    says `"stream": true`, else as one object. What the client accepts does not matter: it is the
    body that a backend would obey."""
    decision = situation.decision
    answer = ANSWERS[situation.api]
    render = answer.events if situation.stream else answer.whole
    return PluginEdits(
        immediate=Immediate(
            200,
            (
                SSE_TYPE if situation.stream else JSON_TYPE,
                SCHEMA_VERSION,
                ("x-vsr-response-path", b"fast_response"),
                ("x-vsr-fast-response", b"true"),
                ("x-vsr-selected-decision", header_value(decision.name or "")),
                ("x-vsr-decision-basis", decision.basis.value.encode("ascii")),
            ),
            render(config.message, int(situation.now)),
        )
    )


ENTRY = document_plugin("fast_response", FastResponseConfig, edits, phase=Phase.ANSWER)
