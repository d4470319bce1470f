"""What a Decision does to its request: edits of the body, request headers, or an answer at once.

Why this file exists: everything that a decision asks for is settled in one value before the header
reply, because nothing may fail after it. It must not know body modes, splices or the gateway.

The order is upstream's (section 1.17): model, reasoning, system_prompt, request_params. Unlike
upstream, `stream` and `stream_options` are left as the client wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from srd.body.rewrite import NO_REWRITE, Rewrite, SystemPrompt
from srd.config.plugins import (
    FastResponseConfig,
    HeaderMutationConfig,
    RequestParamsConfig,
    SystemPromptConfig,
)
from srd.decide.decision import Basis
from srd.decide.models import backend_host
from srd.plugins.errors import Immediate, refusal
from srd.plugins.fast_response import fast_response
from srd.plugins.header_mutation import HeaderEdits, header_edits
from srd.plugins.headers import SPOOFABLE_HEADERS, SPOOFABLE_PREFIXES, header_value
from srd.plugins.reasoning import EFFORT, KWARGS, NOTHING, Edits, reasoning_edits
from srd.plugins.request_params import ParamEdits, param_edits
from srd.plugins.system_prompt import system_prompt

if TYPE_CHECKING:
    import enum
    from collections.abc import Mapping

    from srd.config import Document
    from srd.config.decisions import DecisionRule
    from srd.decide.decision import Decision

__all__ = ["SPOOFABLE_HEADERS", "SPOOFABLE_PREFIXES", "Plan", "plan"]

Pairs = tuple[tuple[str, bytes], ...]
SELECTED_MODEL = "x-selected-model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of one request.

    Removes apply first, then `set_headers` overwrite, then `add_headers` append. With `immediate`
    the request is answered instead and goes nowhere. `system_prompt_injected` belongs into the
    Decision that is rendered.
    """

    rewrite: Rewrite = NO_REWRITE
    set_headers: Pairs = ()
    add_headers: Pairs = ()
    remove_headers: tuple[str, ...] = ()
    immediate: Immediate | None = None
    system_prompt_injected: bool = False

    def __repr__(self) -> str:
        what = repr(self.immediate) if self.immediate else f"model={self.rewrite.model or '-'}"
        return f"<Plan {what} set={len(self.set_headers)} system={self.system_prompt_injected}>"


def plan(
    decision: Decision,
    document: Document,
    *,
    requested_model: str | None,
    params: Mapping[str, object],
    api: enum.Enum | None = None,
    now: float = 0.0,
    accepts_sse: bool = False,
) -> Plan:
    """The plan of one decision. Pure; never raises on a document that was loaded.

    `params` are the scalar top-level members of the body as far as they were read; `now` is Unix
    time. `api` is the body's shape (srd.body.Api); None means that the path is unknown, and then
    the body counts as a chat completion.
    """
    rule = _rule_of(decision, document)
    fixed = None if rule is None else rule.plugin(FastResponseConfig)
    if fixed is not None:
        streaming = accepts_sse or params.get("stream") is True
        answer = fast_response(fixed, decision, streaming=streaming, now=now)
        return Plan(immediate=answer)
    if not decision.model:
        return Plan(immediate=_no_model(decision))
    chat = api is None or api.name == "CHAT"
    prompt = system_prompt(rule.plugin(SystemPromptConfig)) if rule is not None and chat else None
    headers = header_edits(None if rule is None else rule.plugin(HeaderMutationConfig))
    set_headers, remove_headers = _headers(decision, headers)
    return Plan(
        rewrite=_rewrite(
            decision,
            document,
            requested_model,
            reasoning=_reasoning(decision, document, params) if chat else NOTHING,
            params=param_edits(None if rule is None else rule.plugin(RequestParamsConfig)),
            prompt=prompt,
        ),
        set_headers=set_headers,
        add_headers=headers.add,
        remove_headers=remove_headers,
        system_prompt_injected=prompt is not None,
    )


def _rule_of(decision: Decision, document: Document) -> DecisionRule | None:
    if decision.name is None:
        return None
    return next((r for r in document.routing.decisions if r.name == decision.name), None)


def _no_model(decision: Decision) -> Immediate:
    """The document has no default model.

    The client could have named one, except where we failed to decide.
    """
    message = f'no model is available for "{decision.requested_model or ""}"'
    return refusal(503 if decision.basis is Basis.FALLBACK else 400, message)


def _reasoning(decision: Decision, document: Document, params: Mapping[str, object]) -> Edits:
    if decision.reasoning is None:
        return NOTHING
    families = document.providers.defaults.reasoning_families
    return reasoning_edits(
        decision.reasoning,
        families.get(decision.reasoning.family),
        client_effort=params.get(EFFORT),
        host=backend_host(decision.model, document),
    )


def _rewrite(
    decision: Decision,
    document: Document,
    requested_model: str | None,
    *,
    reasoning: Edits,
    params: ParamEdits,
    prompt: SystemPrompt | None,
) -> Rewrite:
    """One Rewrite of all parts. What request_params drops stays dropped, whoever set it."""
    target = decision.upstream_model or decision.model
    renamed = target != requested_model
    replaceable = frozenset() if requested_model is None else frozenset({requested_model})
    if decision.basis is not Basis.EXPLICIT:
        replaceable |= document.auto_names()
    members = {k: v for k, v in reasoning.members.items() if k not in params.drop}
    drop = reasoning.drop | params.drop
    merge = {KWARGS: reasoning.kwargs} if reasoning.kwargs and KWARGS not in drop else {}
    return Rewrite(
        model=target if renamed else None,
        replaceable=replaceable if renamed else frozenset(),
        drop=drop,
        keep_only=None if params.keep_only is None else params.keep_only | members.keys(),
        set_members=members,
        merge=merge,
        cap=params.cap,
        system_prompt=prompt,
    )


def _headers(decision: Decision, edits: HeaderEdits) -> tuple[Pairs, tuple[str, ...]]:
    """Headers to set and to remove: the router's, then the operator's over them."""
    wanted = {SELECTED_MODEL: header_value(decision.model)}
    for name in edits.delete:
        wanted.pop(name, None)
    wanted |= edits.update
    gone = dict.fromkeys((*SPOOFABLE_HEADERS, *edits.delete))
    return tuple(wanted.items()), tuple(name for name in gone if name not in wanted)
