"""Rule trees in three-valued logic: readings in, one outcome per decision out.

Why this file exists: an early decision and a complete one must be the same code, so a tree is
evaluated with whatever is known, and says what could still become of it. It must not know how
decisions are ranked against each other, nor what a signal looks at; how a tree is walked and folded
is `srd.config.trees`' business, this is the algebra.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from srd.config.rules import Leaf, RuleNode, Unknown, leaf_key
from srd.config.trees import Algebra, compiled
from srd.signals.base import Reading, Truth
from srd.signals.predicates import keeps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a node says now, and what it may still come to say.

    `truth` is Kleene's value. [`lo`, `hi`] bounds the confidence that the node has once it is TRUE
    (0 and 0 when FALSE); the bounds are attained by some completion of the unknown leaves when no
    leaf occurs twice below the node, and never too narrow otherwise. `matched` are the leaf keys
    that make it TRUE, in document order. `open` is a bit set of leaf indexes: resolve these and
    truth, `lo` and `hi` cannot change any more.
    """

    truth: Truth
    lo: float = 0.0
    hi: float = 0.0
    matched: tuple[str, ...] = ()
    open: int = 0


FALSE = Outcome(Truth.FALSE)


@dataclass(frozen=True, slots=True)
class LeafUse:
    """One leaf in one of its uses, numbered by its table.

    `unknown` is what counts where it was not evaluated although somebody waited for it. `dead`: no
    signal will ever read it, so that what counts then counts from the start.
    """

    leaf: Leaf
    key: str
    unknown: Unknown
    dead: bool = False


class LeafTable:
    """Every distinct leaf of a document, numbered in order of appearance.

    A leaf under a blocking decision is another one than the same leaf elsewhere. Leaves that share
    a key but not a predicate, `on_error` or `on_unknown` are distinct too: each has its own
    outcome. `unknown` says what counts where a leaf was not evaluated, given the leaf and whether
    its decision blocks; by default what it says itself, else no_match. `dead` tells the leaves that
    no signal will ever read, given the leaf and its key; by default none.
    """

    def __init__(
        self,
        unknown: Callable[[Leaf, bool], Unknown] | None = None,
        dead: Callable[[Leaf, str], bool] | None = None,
    ) -> None:
        self._unknown = unknown
        self._dead = dead
        self._indexes: dict[tuple[Leaf, bool], int] = {}
        self._uses: list[LeafUse] = []

    def index(self, leaf: Leaf, blocking: bool = False) -> int:
        """The number of a leaf in one use, a new one when it was not seen before."""
        found = self._indexes.get((leaf, blocking))
        if found is None:
            found = self._indexes[leaf, blocking] = len(self._uses)
            self._uses.append(self._use(leaf, blocking))
        return found

    def _use(self, leaf: Leaf, blocking: bool) -> LeafUse:
        key = leaf_key(leaf, blocking)
        if self._dead is not None and self._dead(leaf, key):
            return LeafUse(leaf, key, leaf.on_unknown or "no_match", dead=True)
        if self._unknown is not None:
            return LeafUse(leaf, key, self._unknown(leaf, blocking))
        return LeafUse(leaf, key, leaf.on_unknown or leaf.on_error or "no_match")

    @property
    def keys(self) -> tuple[str, ...]:
        """The leaf keys by index; those of blocking uses with their mark."""
        return tuple(use.key for use in self._uses)

    def outcomes(self, readings: Mapping[str, Reading], *, forced: bool) -> list[Outcome]:
        """One outcome per leaf, by index.

        A key without a reading is UNKNOWN; `forced` makes UNKNOWN count as the leaf says: false,
        true, or, where the request fails without it, unknown still.
        """
        return [
            _leaf_outcome(use, readings.get(use.key), 1 << index, forced=forced)
            for index, use in enumerate(self._uses)
        ]

    def keys_in(self, bits: int) -> frozenset[str]:
        """The leaf keys of a bit set of indexes."""
        return frozenset(use.key for index, use in enumerate(self._uses) if bits >> index & 1)


def truth_of(leaf: Leaf, reading: Reading) -> Truth:
    """What a reading says of a leaf: with a predicate, whether the measure keeps its bounds too."""
    if leaf.predicate is None or reading.value is not Truth.TRUE:
        return reading.value
    measure = reading.confidence if reading.score is None else reading.score
    return Truth.TRUE if keeps(measure, leaf.predicate) else Truth.FALSE


def _leaf_outcome(use: LeafUse, reading: Reading | None, bit: int, *, forced: bool) -> Outcome:
    if use.dead or reading is None or reading.value is Truth.UNKNOWN:
        return _unknown_outcome(use, bit, settled=forced or use.dead)
    if truth_of(use.leaf, reading) is Truth.FALSE:
        return FALSE
    # Signals promise 0..1; a rank built on a bound that does not hold would be unsound.
    confidence = 1.0 if use.leaf.predicate else min(1.0, max(0.0, reading.confidence))
    return Outcome(Truth.TRUE, confidence, confidence, (leaf_key(use.leaf),))


def _unknown_outcome(use: LeafUse, bit: int, *, settled: bool) -> Outcome:
    matched = (leaf_key(use.leaf),)
    if settled and use.unknown == "no_match":
        return FALSE
    if settled and use.unknown == "match":
        return Outcome(Truth.TRUE, 1.0, 1.0, matched)
    return Outcome(Truth.UNKNOWN, 1.0 if use.leaf.predicate else 0.0, 1.0, matched, bit)


class Tree:
    """One compiled rule tree, its leaves in one use."""

    __slots__ = ("_program",)

    def __init__(self, root: RuleNode, table: LeafTable, *, blocking: bool = False) -> None:
        self._program = compiled(root, lambda leaf: table.index(leaf, blocking))

    def __repr__(self) -> str:
        return f"<Tree {self._program!r}>"

    def evaluate(self, leaves: Sequence[Outcome]) -> Outcome:
        """The outcome of the root. O(nodes); `leaves` comes from the table it was compiled with."""
        return self._program.run(leaves.__getitem__, _OUTCOMES)


def all_of(children: Sequence[Outcome]) -> Outcome:
    """AND: every child; the confidence is the children's mean. Of nothing: TRUE with 0 (1.7)."""
    if not children:
        return Outcome(Truth.TRUE)
    truth, lo, hi, bits = Truth.TRUE, 0.0, 0.0, 0
    matched: tuple[str, ...] = ()
    for child in children:
        if child.truth is Truth.FALSE:
            return FALSE
        if child.truth is Truth.UNKNOWN:
            truth = Truth.UNKNOWN
        lo += child.lo
        hi += child.hi
        matched += tuple(key for key in child.matched if key not in matched)
        bits |= child.open
    count = len(children)
    return Outcome(truth, lo / count, hi / count, matched, bits)


def any_of(children: Sequence[Outcome]) -> Outcome:
    """OR: the matching child with the highest confidence, the first of equals. Of nothing: FALSE.

    A TRUE OR may still gain confidence from an unknown child that could beat its best one.
    """
    best: Outcome | None = None
    for child in children:
        if child.truth is Truth.TRUE and (best is None or child.lo > best.lo):
            best = child
    maybe = [child for child in children if child.truth is not Truth.FALSE]
    if not maybe:
        return FALSE
    hi = max(child.hi for child in maybe)
    bits = 0
    if best is not None:
        for child in maybe:
            if child.hi > best.lo:
                bits |= child.open
        return Outcome(Truth.TRUE, best.lo, hi, best.matched, bits)
    for child in maybe:
        bits |= child.open
    # Which child will match is not known yet: the first possible one names the leaves.
    return Outcome(Truth.UNKNOWN, min(child.lo for child in maybe), hi, maybe[0].matched, bits)


def negation(child: Outcome) -> Outcome:
    """NOT: TRUE with 1 when the child is FALSE; its leaves did not match, so it lists none."""
    if child.truth is Truth.TRUE:
        return FALSE
    if child.truth is Truth.FALSE:
        return Outcome(Truth.TRUE, 1.0, 1.0)
    return Outcome(Truth.UNKNOWN, 1.0, 1.0, (), child.open)


class _Outcomes:
    """The algebra of outcomes."""

    all_of = staticmethod(all_of)
    any_of = staticmethod(any_of)
    negation = staticmethod(negation)


_OUTCOMES: Algebra[Outcome] = _Outcomes()
