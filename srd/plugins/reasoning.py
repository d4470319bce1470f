"""Telling a model to think, or not to, in the dialect of its family.

Why this file exists: the table of upstream section 1.17, with its two faults mended: a model
without a family keeps the client's `reasoning_effort`, and the effort of an adapter's ref is found
(by the model choice). It must not know how members are spliced.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srd.config.providers import ReasoningFamily
    from srd.decide.decision import Reasoning

EFFORT = "reasoning_effort"
KWARGS = "chat_template_kwargs"
#: What a reasoning_effort family gets when it shall not think and the client named no effort.
QUIET_EFFORT = "low"
DEEPSEEK_HOST = "api.deepseek.com"
#: Hosts that take the effort as a top-level member; everyone else is addressed as vLLM.
TOP_LEVEL_HOSTS = frozenset({"api.openai.com", DEEPSEEK_HOST, "openrouter.ai"})


@dataclass(frozen=True, slots=True)
class Edits:
    """Top-level members to drop and to set, and members of chat_template_kwargs (None: removed)."""

    drop: frozenset[str] = frozenset()
    members: Mapping[str, bytes] = field(default_factory=dict)
    kwargs: Mapping[str, bytes | None] = field(default_factory=dict)


NOTHING = Edits()


def reasoning_edits(
    reasoning: Reasoning | None,
    family: ReasoningFamily | None,
    *,
    client_effort: object = None,
    host: str = "",
) -> Edits:
    """The edits of one request. `client_effort` is the body's own top-level value, if seen."""
    if reasoning is None or family is None:
        return NOTHING
    if host == DEEPSEEK_HOST:
        return _deepseek(reasoning)
    if family.type == "chat_template_kwargs":
        value = b"true" if reasoning.enabled else b"false"
        return Edits(drop=frozenset({EFFORT}), kwargs={family.parameter: value})
    if family.type == "top_level_reasoning_effort":
        members = {EFFORT: _json(reasoning.effort)} if reasoning.enabled else {}
        return Edits(members=members, kwargs={family.parameter: None})
    if host in TOP_LEVEL_HOSTS:
        return _top_level(reasoning, family.parameter, client_effort)
    quiet = client_effort if isinstance(client_effort, str) else QUIET_EFFORT
    effort = reasoning.effort if reasoning.enabled else quiet
    return Edits(drop=frozenset({EFFORT}), kwargs={family.parameter: _json(effort)})


def _deepseek(reasoning: Reasoning) -> Edits:
    if reasoning.enabled:
        members = {"thinking": b'{"type":"enabled"}', EFFORT: _json(reasoning.effort)}
        return Edits(drop=frozenset({KWARGS}), members=members)
    return Edits(drop=frozenset({KWARGS, EFFORT}), members={"thinking": b'{"type":"disabled"}'})


def _top_level(reasoning: Reasoning, parameter: str, client_effort: object) -> Edits:
    """Off means: the client's own effort stays as it is."""
    drop = frozenset() if parameter == EFFORT else frozenset({EFFORT})
    if reasoning.enabled:
        return Edits(drop=drop, members={parameter: _json(reasoning.effort)})
    if drop and isinstance(client_effort, str):
        return Edits(drop=drop, members={parameter: _json(client_effort)})
    return NOTHING


def _json(text: str) -> bytes:
    return json.dumps(text).encode("ascii")
