"""All signals of one document, compiled.

Why this file exists: which rules a document's decisions refer to, and which classifier heads they
need, is asked here; the table of types says how each is compiled. It must not know how decisions
are made of readings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from srd.classify.api import Classifier
from srd.config import Document
from srd.config.decisions import blocks
from srd.config.rules import Leaf, RuleNode, leaf_key, leaves
from srd.config.scope import is_dead
from srd.signals.base import Evidence, Reach, Reading, Signal
from srd.signals.domain import Category, top_category
from srd.signals.entry import Making
from srd.signals.table import BY_NAME
from srd.signals.unsupported import UnsupportedSignal
from srd.signals.workshop import Workshop


@dataclass(frozen=True, slots=True, repr=False)
class SignalSet:
    """The signals that some decision of the document refers to, in document order.

    `keys` holds the leaf key of each, with its mark where a blocking decision reads it.
    """

    signals: tuple[Signal, ...]
    keys: tuple[str, ...]

    def heads(self, *reaches: Reach) -> frozenset[str]:
        """The classifier heads that signals of these reaches need; without any, that all need."""
        wanted = reaches or tuple(Reach)
        return frozenset().union(*(s.heads for s in self.signals if s.reach in wanted))

    def read(self, evidence: Evidence) -> Mapping[str, Reading]:
        """Every signal's reading by its key."""
        pairs = zip(self.keys, self.signals, strict=True)
        return {key: signal.read(evidence) for key, signal in pairs}

    def category(self, evidence: Evidence) -> Category | None:
        """(label, confidence, margin) of the top domain label whatever the threshold.

        None where the domain head has not answered.
        """
        return top_category(evidence.scores.domain if evidence.scores else None)

    def __repr__(self) -> str:
        return f"<SignalSet {', '.join(self.keys) or 'empty'}>"


def compile_signals(document: Document, *, classifier: Classifier | None) -> SignalSet:
    """The signals that the decisions' leaves name, each once for each use.

    Prototypes are embedded now, by `classifier`; without one, signals that need it stay UNKNOWN.

    :raises RuleError: if a pattern cannot be compiled.
    :raises ClassifierUnavailable: if the classifier cannot embed the examples.
    """
    compiler = _Compiler(document, classifier)
    wanted: dict[str, Signal] = {}
    for decision in document.routing.decisions:
        blocking = blocks(decision)
        for leaf in leaves(decision.rules):
            wanted[leaf_key(leaf, blocking)] = compiler.signal(leaf, blocking)
    return SignalSet(tuple(wanted.values()), tuple(wanted))


class _Compiler:
    """One document on its way to a SignalSet."""

    def __init__(self, document: Document, classifier: Classifier | None) -> None:
        self._document = document
        self._shop = Workshop(document, classifier)
        self._compiled: dict[str, Signal] = {}

    def signal(self, leaf: Leaf, blocking: bool) -> Signal:
        """The signal of a leaf in one use."""
        key = leaf_key(leaf, blocking)
        if key not in self._compiled:
            # A composer that leads back to its own rule finds this instead of recursing.
            self._compiled[key] = UnsupportedSignal(leaf.type, leaf.name)
            if signal := self._compile(leaf, blocking):
                self._compiled[key] = signal
        return self._compiled[key]

    def _compile(self, leaf: Leaf, blocking: bool) -> Signal | None:
        entry = BY_NAME[leaf.type]
        rules = self._document.routing.signals.of(entry)
        rule = entry.find(rules, leaf.name)
        if rule is None or entry.compile is None or is_dead(self._document, leaf):
            return None

        def signals_of(tree: RuleNode) -> Mapping[str, Signal]:
            return {leaf_key(one): self.signal(one, blocking) for one in leaves(tree)}

        making: Making[Any] = Making(
            leaf=leaf.name,
            answer=entry.split(leaf.name)[1],
            rules=rules,
            reach=entry.reach_of(rule, blocking=blocking),
            blocking=blocking,
            shop=self._shop,
            signals_of=signals_of,
        )
        return entry.compile(rule, making)
