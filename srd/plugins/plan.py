"""What a Decision does to its request: edits of the body, request headers, or an answer at once.

Why this file exists: everything that a decision asks for is settled in one value before the header
reply, because a fault after it can only end the stream. It walks the table of plugins; of them it
must know none but reasoning's name, for the header that tells of it, nor body modes, splices or the
gateway.

Unlike upstream, `stream` and `stream_options` are left as the client wrote them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from srd.body.rewrite import NO_REWRITE, Rewrite
from srd.body.shapes import Api
from srd.decide.decision import Basis
from srd.plugins.entry import NO_EDITS, Phase, PluginEdits, Situation
from srd.plugins.errors import Immediate, refusal
from srd.plugins.headers import SPOOFABLE_HEADERS, SPOOFABLE_PREFIXES, header_value
from srd.plugins.reasoning import NAME as REASONING
from srd.plugins.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srd.config import Document
    from srd.config.decisions import DecisionRule
    from srd.decide.decision import Decision
    from srd.plugins.entry import Entry, Pairs

__all__ = ["SPOOFABLE_HEADERS", "SPOOFABLE_PREFIXES", "Plan", "answers", "plan"]

SELECTED_MODEL = "x-selected-model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of one request.

    Removes apply first, then `set_headers` overwrite, then `add_headers` append. With `immediate`
    the request is answered instead and goes nowhere. `plugins` are the names of those that act,
    `not_carried_out` says of each of the others that the decision asks for "name: why". `reasoning`
    is "on" only where the request is told so, "off" where the decision does not think, else "".
    """

    rewrite: Rewrite = NO_REWRITE
    set_headers: Pairs = ()
    add_headers: Pairs = ()
    remove_headers: tuple[str, ...] = ()
    immediate: Immediate | None = None
    plugins: tuple[str, ...] = ()
    not_carried_out: tuple[str, ...] = ()
    reasoning: Literal["on", "off", ""] = ""

    def __repr__(self) -> str:
        what = repr(self.immediate) if self.immediate else f"model={self.rewrite.model or '-'}"
        missed = f" missed={len(self.not_carried_out)}" if self.not_carried_out else ""
        return f"<Plan {what} plugins={','.join(self.plugins) or '-'}{missed}>"

    @property
    def system_prompt_injected(self) -> bool:
        """True when a system prompt is to be written."""
        return self.rewrite.system_prompt is not None

    def stamped(self, decision: Decision) -> Decision:
        """The Decision as it is carried out: what it asks for in vain is not said to be there."""
        thinks = decision.reasoning if self.reasoning else None
        if not (self.plugins or self.not_carried_out) and thinks is decision.reasoning:
            return decision
        return replace(
            decision,
            reasoning=thinks,
            system_prompt_injected=self.system_prompt_injected,
            plugins=self.plugins,
            not_carried_out=self.not_carried_out,
        )


class Looked(Mapping[str, object]):
    """Members of a body, and whether a plan has asked for one that is not there (`missed`): while
    more of the body may come, another plan may come of it."""

    def __init__(self, members: Mapping[str, object]) -> None:
        self._members = members
        self.missed = False

    def __repr__(self) -> str:
        return f"<Looked at {len(self._members)}{', missed one' if self.missed else ''}>"

    def __getitem__(self, name: str) -> object:
        self.missed = self.missed or name not in self._members
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def answers(decision: Decision, document: Document, *, table: Sequence[Entry[Any]] = TABLE) -> bool:
    """True when a plugin of this decision answers the client: its plan needs to know `stream`."""
    rule = _rule_of(decision, document)
    return rule is not None and any(
        entry.phase is Phase.ANSWER and entry.asks(rule) for entry in table
    )


def plan(
    decision: Decision,
    document: Document,
    *,
    params: Mapping[str, object],
    api: Api | None = None,
    stream: bool | None = None,
    now: float = 0.0,
    table: Sequence[Entry[Any]] = TABLE,
) -> Plan:
    """The plan of one decision. Pure. May raise whatever a faulty plugin raises: nothing is caught
    here, so that the caller, which knows what has left, can say so and fall back.

    `params` are the scalar top-level members of the body as far as they were read; the plan is a
    function of the body only if they do not depend on how it was cut. `api` is the body's shape;
    None means that the path is unknown, and then the body counts as a chat completion. `stream` is
    the body's own, None while it is unknown; only a plan that `answers` looks at it. `now` is Unix
    time in seconds.
    """
    rule = _rule_of(decision, document)
    situation = Situation(
        decision=decision,
        document=document,
        rule=rule,
        api=api or Api.CHAT,
        params=params,
        stream=stream,
        now=now,
    )
    for entry in table:
        if entry.phase is Phase.ANSWER and (edits := entry.plan(situation)) is not None:
            return Plan(immediate=edits.immediate, plugins=(entry.name,))
    if not decision.model:
        return Plan(immediate=_no_model(decision))
    edits, acted, missed = _edits(situation, table)
    set_headers, remove_headers = _headers(decision, edits)
    return Plan(
        rewrite=_rewrite(decision.upstream_model or decision.model, edits),
        set_headers=set_headers,
        add_headers=edits.add,
        remove_headers=remove_headers,
        plugins=acted,
        not_carried_out=missed,
        reasoning=_reasoning(decision, acted),
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
    return refusal(503 if decision.basis is Basis.FALLBACK else 400, message, reason="no_model")


def _edits(
    situation: Situation, table: Sequence[Entry[Any]]
) -> tuple[PluginEdits, tuple[str, ...], tuple[str, ...]]:
    """The edits of all plugins in order, who acts, and who cannot."""
    total, missed = NO_EDITS, []
    acting: dict[str, PluginEdits] = {}
    for entry in table:
        edits = entry.plan(situation) if entry.phase is Phase.REQUEST else None
        if edits is None or edits == NO_EDITS:
            continue
        if edits.not_carried_out:
            missed.append(f"{entry.name}: {edits.not_carried_out}")
            continue
        total = total.then(edits)
        acting[entry.name] = edits
        for name, earlier in list(acting.items()):
            if earlier.written and not earlier.written & total.written:
                missed.append(f"{name}: {entry.name} drops what it writes")
                del acting[name]
    return total, tuple(acting), tuple(missed)


def _rewrite(target: str, edits: PluginEdits) -> Rewrite:
    """One Rewrite of all parts; the name that leaves is `target`, whatever was asked for."""
    keep = edits.keep_only
    return Rewrite(
        model=target,
        drop=edits.drop,
        keep_only=None if keep is None else keep | edits.written,
        set_members=edits.set_members,
        merge=edits.merge,
        cap=edits.cap,
        system_prompt=edits.system_prompt,
    )


def _reasoning(decision: Decision, acted: Sequence[str]) -> Literal["on", "off", ""]:
    if decision.reasoning is None:
        return ""
    if decision.reasoning.enabled:
        return "on" if REASONING in acted else ""
    return "off"


def _headers(decision: Decision, edits: PluginEdits) -> tuple[Pairs, tuple[str, ...]]:
    """Headers to set and to remove: the router's, then the operator's over them."""
    wanted = {SELECTED_MODEL: header_value(decision.model)}
    for name in edits.delete:
        wanted.pop(name, None)
    wanted |= edits.update
    gone = dict.fromkeys((*SPOOFABLE_HEADERS, *edits.delete))
    return tuple(wanted.items()), tuple(name for name in gone if name not in wanted)
