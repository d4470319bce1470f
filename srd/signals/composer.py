"""A rule tree over signals, for rules that count only where other signals hold.

Why this file exists: `composer` of a complexity rule (as upstream). Decisions have an
engine, which ranks and explains; this is the bare logic. It must not know signal types.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from srd.config.rules import Leaf, RuleNode, leaf_key
from srd.config.trees import KLEENE, Truth, fold
from srd.signals.base import Evidence, Signal


@dataclass(frozen=True, slots=True, repr=False)
class Composer:
    """A tree and the signals of its leaves, keyed "type:name". A leaf without a signal is false."""

    tree: RuleNode
    signals: Mapping[str, Signal]

    def holds(self, evidence: Evidence) -> Truth:
        """The tree's value in Kleene logic."""

        def value(leaf: Leaf) -> Truth:
            signal = self.signals.get(leaf_key(leaf))
            return signal.read(evidence).value if signal else Truth.FALSE

        return fold(self.tree, value, KLEENE)

    def __repr__(self) -> str:
        return f"<Composer over {', '.join(sorted(self.signals))}>"
