"""A rule tree over signals, for rules that count only where other signals hold.

Why this file exists: `composer` of a complexity rule (as upstream). Decisions have their
own engine, which ranks and explains; this is the bare logic. It must not know signal types.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from srd.config.rules import Branch, RuleNode
from srd.signals.base import Evidence, Signal, Truth


@dataclass(frozen=True, slots=True, repr=False)
class Composer:
    """A tree and the signals of its leaves, keyed "type:name". A leaf without a signal is false."""

    tree: RuleNode
    signals: Mapping[str, Signal]

    def holds(self, evidence: Evidence) -> Truth:
        """The tree's value in Kleene logic."""
        return self._value(self.tree, evidence)

    def _value(self, node: RuleNode, evidence: Evidence) -> Truth:
        if not isinstance(node, Branch):
            signal = self.signals.get(f"{node.type}:{node.name}")
            return signal.read(evidence).value if signal else Truth.FALSE
        values = [self._value(child, evidence) for child in node.conditions]
        if node.operator == "NOT":
            return ~any_of(values)
        if node.operator == "AND":
            return ~any_of([~value for value in values])
        return any_of(values)

    def __repr__(self) -> str:
        return f"<Composer over {', '.join(sorted(self.signals))}>"


def any_of(values: list[Truth]) -> Truth:
    """Kleene OR; of nothing it is false."""
    if Truth.TRUE in values:
        return Truth.TRUE
    return Truth.UNKNOWN if Truth.UNKNOWN in values else Truth.FALSE
