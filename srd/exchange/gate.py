"""What request headers alone settle: refused, passed by, read for a name only, or routed.

Why this file exists: whether a body is ours is one question with one answer, asked before a byte of
it has come. It must not know body modes (`mode_routes` says what matters) nor bodies.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from srd.exchange import refusals
from srd.exchange.facts import UNSUPPORTED, RequestFacts, is_model_list, too_many_headers
from srd.exchange.paths import Kind
from srd.exchange.policy import Policy
from srd.plugins.errors import Immediate, refusal
from srd.plugins.model_list import model_list


class Gate(enum.Enum):
    """How far a request comes in."""

    PASS = "pass"  # untouched
    NAMED = "named"  # its body is read for a model's name, and passes or is refused
    ROUTE = "route"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """`refusal` answers at once; `unread` is why a body on one of our paths is not read;
    `would_refuse` is a refusal that is only observed."""

    gate: Gate = Gate.PASS
    refusal: Immediate | None = None
    unread: str = ""
    would_refuse: Immediate | None = None


def admit(
    facts: RequestFacts, policy: Policy, *, end: bool, mode_routes: bool, now: float
) -> Admission:
    """The verdict of the headers. `end`: no body comes; `now` is Unix time."""
    router = policy.document.global_.router
    if router.include_config_models_in_list and is_model_list(facts) and not facts.tunnel:
        return Admission(refusal=model_list(policy.document, now=now))
    if too_many_headers(facts, policy.header_entries):
        return Admission(
            refusal=refusal(431, "too many headers that only the router may set", reason="headers")
        )
    if facts.route.kind is Kind.PASS or facts.method != "POST":
        return Admission(unread=facts.unread)
    if (refused := _refused(facts, policy, end=end)) is not None:
        return Admission(refusal=refused)
    if end:
        return Admission()
    unseen = _unseen(facts) if policy.must_see else None
    if unseen is not None and policy.enforces:
        return Admission(refusal=unseen)
    if facts.unread or not mode_routes:
        return Admission(unread=facts.unread or "mode", would_refuse=unseen)
    return Admission(gate=Gate.NAMED if facts.named else Gate.ROUTE, would_refuse=unseen)


def _refused(facts: RequestFacts, policy: Policy, *, end: bool) -> Immediate | None:
    most = policy.document.global_.router.streamed_body.max_bytes
    if facts.content_length is not None and facts.content_length > most > 0 and not end:
        return refusals.too_large(most)
    if (name := facts.contradiction(policy.user_headers)) is not None:
        said = f"the header {name} says two different things"
        return refusal(400, said, reason="contradiction")
    return None


def _unseen(facts: RequestFacts) -> Immediate | None:
    """The refusal of a body that no rule can see, and a backend perhaps reads."""
    if facts.route.kind is not Kind.ROUTED:
        return None
    if facts.unread in UNSUPPORTED:
        return refusals.not_readable(facts.unread)
    return refusals.not_readable("charset") if facts.charset else None
