"""Telling a model to think, or not to, in the dialect of its API, its family and its server.

Why this file exists: no document names this plugin; every modelRef asks for it, and each API has
another member for it. For chat completions it follows upstream, with two faults mended: a model
without a family keeps the client's `reasoning_effort`, and the effort of an adapter's ref is found
(by the model choice). It must not know how members are spliced.

Responses and Messages have a member of their own, `reasoning.effort` and `thinking`, which is set
whatever the family. A server that is not one of the known hosts counts as vLLM, as upstream has it,
and vLLM needs more: Qwen's and other templates think by default and stop for
`chat_template_kwargs` only. Its Responses endpoint takes them (vllm-project/vllm pull request
43761, May 2026; older ones ignore them and read the effort alone), and so does its Messages
endpoint, which ignores `thinking`. No host that refuses unknown members is sent them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from srd.body.shapes import Api
from srd.decide.models import backend_host
from srd.plugins.entry import NO_EDITS, Entry, PluginEdits
from srd.plugins.request_params import token_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srd.config.decisions import DecisionRule
    from srd.config.providers import ReasoningFamily
    from srd.plugins.entry import Situation

NAME = "reasoning"
EFFORT = "reasoning_effort"
KWARGS = "chat_template_kwargs"
REASONING = "reasoning"
THINKING = "thinking"
#: What a reasoning_effort family gets when it shall not think and the client named no effort.
QUIET_EFFORT = "low"
ANTHROPIC_HOST = "api.anthropic.com"
DEEPSEEK_HOST = "api.deepseek.com"
#: Hosts that take the effort as a top-level member of a chat completion.
TOP_LEVEL_HOSTS = frozenset({"api.openai.com", DEEPSEEK_HOST, "openrouter.ai"})
#: Hosts that are not vLLM: they refuse `chat_template_kwargs`, or ignore them at best.
HOSTED = TOP_LEVEL_HOSTS | {ANTHROPIC_HOST}

#: Tokens to think with, by effort, as LiteLLM translates them; an effort of another name is medium.
BUDGETS = MappingProxyType(
    {"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}
)
#: Anthropic refuses a `budget_tokens` below this, and one that is not below `max_tokens`.
LEAST_BUDGET = 1024


@dataclass(frozen=True, slots=True)
class Thinking:
    """What the chosen model is to be told, and by which means."""

    on: bool
    effort: str
    family: ReasoningFamily | None
    host: str = ""

    @property
    def flag(self) -> bytes:
        """The switch as JSON."""
        return b"true" if self.on else b"false"


def thinking(situation: Situation) -> Thinking | None:
    """What the Decision says of thinking; None where it says nothing (no rule matched, an explicit
    model), or says no to a completion, which never thinks."""
    decision, document = situation.decision, situation.document
    reasoning = decision.reasoning
    if reasoning is None or (situation.api in NO_PLACE and not reasoning.enabled):
        return None
    families = document.providers.defaults.reasoning_families
    return Thinking(
        on=reasoning.enabled,
        effort=reasoning.effort,
        family=families.get(reasoning.family),
        host=backend_host(decision.model, document),
    )


def edits(told: Thinking, situation: Situation) -> PluginEdits:
    """The edits of one request."""
    if told.family is None:
        missing = "the model has no reasoning family"
        return PluginEdits(not_carried_out=missing) if told.on else NO_EDITS
    return _BY_API[situation.api](told, told.family, situation)


# -- chat completions


def _chat(told: Thinking, family: ReasoningFamily, situation: Situation) -> PluginEdits:
    if told.host == DEEPSEEK_HOST:
        return _deepseek(told)
    if family.type == KWARGS:
        switch = {family.parameter: told.flag}
        return PluginEdits(drop=frozenset({EFFORT}), merge={KWARGS: switch})
    if family.type == "top_level_reasoning_effort":
        members = {EFFORT: _json(told.effort)} if told.on else {}
        return PluginEdits(set_members=members, merge={KWARGS: {family.parameter: None}})
    client_effort = situation.params.get(EFFORT)
    if told.host in TOP_LEVEL_HOSTS:
        return _top_level(told, family.parameter, client_effort)
    quiet = client_effort if isinstance(client_effort, str) else QUIET_EFFORT
    effort = _json(told.effort if told.on else quiet)
    return PluginEdits(drop=frozenset({EFFORT}), merge={KWARGS: {family.parameter: effort}})


def _deepseek(told: Thinking) -> PluginEdits:
    if told.on:
        members = {THINKING: b'{"type":"enabled"}', EFFORT: _json(told.effort)}
        return PluginEdits(drop=frozenset({KWARGS}), set_members=members)
    members = {THINKING: b'{"type":"disabled"}'}
    return PluginEdits(drop=frozenset({KWARGS, EFFORT}), set_members=members)


def _top_level(told: Thinking, parameter: str, client_effort: object) -> PluginEdits:
    """Off means: the client's own effort stays as it is."""
    drop = frozenset() if parameter == EFFORT else frozenset({EFFORT})
    if told.on:
        return PluginEdits(drop=drop, set_members={parameter: _json(told.effort)})
    if drop and isinstance(client_effort, str):
        return PluginEdits(drop=drop, set_members={parameter: _json(client_effort)})
    return NO_EDITS


# -- Responses


def _responses(told: Thinking, family: ReasoningFamily, situation: Situation) -> PluginEdits:
    """`reasoning.effort`, whose other members stay. A template's switch goes beside it; off then
    takes the client's effort away, because vLLM reads any effort but "none" as on (and older ones
    refuse "none"). Off leaves a known host's client its own effort, as for chat."""
    template = _template(told, family)
    if told.on:
        return _merged({REASONING: {"effort": _json(told.effort)}, **template})
    if family.type == KWARGS and template:
        return _merged({REASONING: {"effort": None}, **template})
    if family.type == EFFORT and told.host not in HOSTED:
        return _merged({REASONING: {"effort": _json(QUIET_EFFORT)}, **template})
    return NO_EDITS


# -- Messages


def _messages(told: Thinking, family: ReasoningFamily, situation: Situation) -> PluginEdits:
    """`thinking`, and what a template needs beside it. Where no legal budget is left the template
    alone is told; without one nothing can be done."""
    template = _template(told, family)
    if not told.on:
        return PluginEdits(set_members={THINKING: b'{"type":"disabled"}'}, merge=template)
    budget, why = _budget(told, situation, harmless=bool(template))
    if budget:
        enabled = b'{"type":"enabled","budget_tokens":%d}' % budget
        return PluginEdits(set_members={THINKING: enabled}, merge=template)
    return _merged(template) if template else PluginEdits(not_carried_out=why)


def _budget(told: Thinking, situation: Situation, *, harmless: bool) -> tuple[int, str]:
    """Tokens to think with, or 0 and why there are none.

    At most half of `max_tokens` where that is enough, so that an answer is left too. While
    `max_tokens` is unknown it is the least, and only if the server ignores it (`harmless`): any
    number may be too large for a request whose limit is still to come.
    """
    limit = token_limit(situation.rule)
    known = situation.params.get("max_tokens")
    most = LEAST_BUDGET + 1 if limit is None else limit
    if isinstance(known, int | float) and not isinstance(known, bool):
        # No number at all, and an infinite one of either sign, have no integer.
        most = int(max(0, min(known, max(BUDGETS.values()) * 2)))
        most = most if limit is None else min(most, limit)
    elif not harmless:
        return 0, "max_tokens was not read before the decision"
    else:
        most = min(most, LEAST_BUDGET + 1)
    if most <= LEAST_BUDGET:
        return 0, f"max_tokens of {most} leaves no room for thinking"
    if told.host == ANTHROPIC_HOST and (why := _refuses_thinking(situation.params)):
        return 0, why
    wanted = BUDGETS.get(told.effort, BUDGETS["medium"])
    return min(wanted, max(LEAST_BUDGET, most // 2)), ""


def _refuses_thinking(params: Mapping[str, object]) -> str:
    """Why Anthropic would refuse a request that thinks; "" when it would not. See "Feature
    compatibility" in its documentation of extended thinking."""
    temperature = params.get("temperature")
    if isinstance(temperature, int | float) and temperature != 1:
        return "Anthropic refuses it beside a temperature other than 1"
    if params.get("top_k") is not None:
        return "Anthropic refuses it beside top_k"
    return ""


# -- both


def _template(told: Thinking, family: ReasoningFamily) -> Mapping[str, Mapping[str, bytes | None]]:
    """What a chat template needs to be told; nothing for hosts that have none, and nothing that an
    effort beside it says already."""
    if told.host in HOSTED or family.type == "top_level_reasoning_effort":
        return {}
    if family.type == KWARGS:
        return {KWARGS: {family.parameter: told.flag}}
    return {KWARGS: {family.parameter: _json(told.effort if told.on else QUIET_EFFORT)}}


def _merged(merge: Mapping[str, Mapping[str, bytes | None]]) -> PluginEdits:
    return PluginEdits(merge=merge)


def _json(text: str) -> bytes:
    return json.dumps(text).encode("ascii")


_BY_API: Mapping[Api, Callable[[Thinking, ReasoningFamily, Situation], PluginEdits]] = (
    MappingProxyType({Api.CHAT: _chat, Api.RESPONSES: _responses, Api.ANTHROPIC: _messages})
)

NO_PLACE = MappingProxyType({Api.COMPLETIONS: "completions has no place for it"})


def _asks(rule: DecisionRule) -> bool:
    return any(ref.use_reasoning for ref in rule.model_refs)


ENTRY = Entry(
    name=NAME,
    config=Thinking,
    asks=_asks,
    of=thinking,
    edits=edits,
    no_place=NO_PLACE,
)
