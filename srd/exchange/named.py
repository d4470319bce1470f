"""What becomes of a body that nobody routes, but that must not ask to be: a look at its names.

Why this file exists: on some paths an auto name can only be a mistake, which nobody behind us could
answer well. It must not know modes, replies or timers, nor how names are found.

Where one name speaks for the request, the first `model` counts if its value ends within the bytes
in which a name counts, and later ones become it, so that every parser reads what was looked at.
Where it says nothing, and in a batch, every name counts: a batch is read to its end.
"""

from __future__ import annotations

from dataclasses import dataclass

from srd.body.body import Body
from srd.body.shapes import BATCH, NAMED, Shape
from srd.exchange import refusals
from srd.exchange.facts import RequestFacts
from srd.exchange.paths import Kind
from srd.exchange.policy import Policy
from srd.plugins.errors import Immediate


@dataclass(frozen=True, slots=True)
class Passes:
    """It passes. `model`: what all its models become, None where nothing is edited. `unread`: why
    nobody looked at all its names, "" where somebody did. `would_refuse`: what is only observed."""

    model: str | None = None
    unread: str = ""
    would_refuse: Immediate | None = None


def shape_of(facts: RequestFacts) -> Shape:
    """How such a body is read."""
    return BATCH if facts.route.kind is Kind.BATCH else NAMED


class NameLook:
    """Looks at one body, which has the shape of `shape_of`."""

    def __init__(self, policy: Policy, facts: RequestFacts, body: Body) -> None:
        self._policy = policy
        self._path = facts.path
        self._body = body
        self._batch = facts.route.kind is Kind.BATCH
        early = policy.early
        # Where no name counts for routing, one that must not be here still does.
        named = early.name_bytes or early.budget_bytes
        self._reach = early.max_held_bytes if self._batch else named

    def __repr__(self) -> str:
        return f"<NameLook batch={self._batch} reach={self._reach}>"

    most_bytes: int | None = None  # it is judged at its checkpoint alone

    def checkpoint(self) -> int | None:
        """The offset of the inflated body behind which no name counts: read no further."""
        return self._reach if self._reach > self._body.bytes_read else None

    def look(self, *, over: bool = False, broken: bool = False) -> Passes | Immediate | None:
        """What becomes of it; None while that is open. `over`: nobody waits for more of it;
        `broken`: nobody can read on."""
        body, named = self._body, self._speaks
        complete = body.ended or body.closed
        if not (named or complete or over or broken or body.bytes_read >= self._reach):
            return None
        for name in (named,) if named else body.names:
            if self._policy.router.is_auto(name):
                return refusals.not_routed(name, self._path)
        if named:
            return Passes(model=named)
        if broken:
            return Passes(unread="unreadable")
        if not self._batch or (complete and not body.names_missed):
            return Passes()
        if not self._policy.must_see:
            return Passes(unread="batch")
        refused = refusals.batch_unread()
        return refused if self._policy.enforces else Passes(unread="batch", would_refuse=refused)

    @property
    def _speaks(self) -> str | None:
        """The one name that stands for all of the request."""
        seen = None if self._batch else self._body.model
        return seen.value or None if seen is not None else None
