"""Which name the client gave, and whether it came early enough to count.

Why this file exists: the rule for a late name stands here and nowhere else. A model name counts if
its value ends within the first `EarlyDecision.name_bytes` that are counted, as a function of its
offset alone. It must not know when a body is decided, nor what is decided for an auto name.
"""

from __future__ import annotations

from srd.body.body import Body
from srd.body.prompt import ModelSeen
from srd.decide.decision import Decision
from srd.exchange import refusals
from srd.exchange.policy import Policy
from srd.plugins.errors import Immediate


class Naming:
    """The name in one body."""

    def __init__(self, policy: Policy, body: Body) -> None:
        self._policy = policy
        self._body = body

    def __repr__(self) -> str:
        return f"<Naming {self.requested or 'nothing'}>"

    def counts(self, seen: ModelSeen) -> bool:
        """True when this name came early enough to decide."""
        return seen.counted <= self._policy.early.name_bytes

    @property
    def settled(self) -> bool:
        """True when no name that counts can still come, whether or not the body has closed."""
        body = self._body
        return body.model is not None or body.counted >= self._policy.early.name_bytes

    @property
    def requested(self) -> str | None:
        """The name that the client asked to be routed by, if it counts."""
        seen = self._body.model
        return seen.value or None if seen is not None and self.counts(seen) else None

    def explicit(self) -> Decision | Immediate | None:
        """The client named a model: no signals, no decision, no plugins, as upstream. None: it is
        to be routed."""
        seen, router = self._body.model, self._policy.router
        if seen is None or not self.counts(seen):
            return None
        if seen.value is None:
            return refusals.no_text(seen.offset)
        if seen.value == "" or router.is_auto(seen.value):
            return None
        unknown = not router.is_known(seen.value)
        if unknown and self._policy.document.global_.router.unknown_models == "refuse":
            return refusals.unavailable(seen.value, router.names)
        return router.explicit(seen.value)
