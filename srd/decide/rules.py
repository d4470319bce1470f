"""Rule trees in three-valued logic: readings in, one outcome per decision out.

Why this file exists: an early decision and a complete one must be the same code, so a tree is
evaluated with whatever is known, and says what could still become of it. It must not know how
decisions are ranked against each other, nor what a signal looks at.

A tree is compiled once to a flat postfix program; evaluation is one pass over it with a stack, so
the depth of a document costs no recursion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from srd.config.rules import Branch, Leaf, Predicate, RuleNode, leaf_key
from srd.signals.base import Reading, Truth

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

_AND, _OR, _NOT = -1, -2, -3
_OPERATORS: Mapping[str, int] = {"AND": _AND, "OR": _OR, "NOT": _NOT}

#: (leaf index >= 0, 0) pushes that leaf; (operator < 0, n) folds the last n outcomes into one.
Step = tuple[int, int]


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


class LeafTable:
    """Every distinct leaf of a document, numbered in order of appearance.

    Leaves that share a key but not a predicate are distinct: each has its own outcome. With
    `answered`, a leaf whose key is not in it is FALSE from the start: no signal will ever read it
    (a type that the configuration accepts with a warning).
    """

    def __init__(self, answered: Container[str] | None = None) -> None:
        self._indexes: dict[tuple[Leaf, bool], int] = {}
        self._answered = answered
        self._mute: set[int] = set()
        self.keys: list[str] = []

    def index(self, leaf: Leaf, blocking: bool = False) -> int:
        """The number of a leaf in one use, a new one when it was not seen before."""
        if (leaf, blocking) not in self._indexes:
            key = leaf_key(leaf, blocking)
            if self._answered is not None and key not in self._answered:
                self._mute.add(len(self.keys))
            self._indexes[leaf, blocking] = len(self.keys)
            self.keys.append(key)
        return self._indexes[leaf, blocking]

    def outcomes(self, readings: Mapping[str, Reading], *, forced: bool) -> list[Outcome]:
        """One outcome per leaf, by index.

        A key without a reading is UNKNOWN; `forced` makes UNKNOWN count as FALSE.
        """
        return [
            FALSE
            if index in self._mute
            else _leaf_outcome(leaf, readings.get(self.keys[index]), 1 << index, forced=forced)
            for (leaf, _), index in self._indexes.items()
        ]

    def keys_in(self, bits: int) -> frozenset[str]:
        """The leaf keys of a bit set of indexes."""
        return frozenset(key for index, key in enumerate(self.keys) if bits >> index & 1)


def _leaf_outcome(leaf: Leaf, reading: Reading | None, bit: int, *, forced: bool) -> Outcome:
    if reading is None or reading.value is Truth.UNKNOWN:
        if forced:
            return FALSE
        lo = 1.0 if leaf.predicate else 0.0
        return Outcome(Truth.UNKNOWN, lo, 1.0, (leaf_key(leaf),), bit)
    if leaf.predicate is not None:
        measure = reading.confidence if reading.score is None else reading.score
        holds = reading.value is Truth.TRUE and _holds(leaf.predicate, measure)
        return Outcome(Truth.TRUE, 1.0, 1.0, (leaf_key(leaf),)) if holds else FALSE
    if reading.value is Truth.FALSE:
        return FALSE
    # Signals promise 0..1; a rank built on a bound that does not hold would be unsound.
    confidence = min(1.0, max(0.0, reading.confidence))
    return Outcome(Truth.TRUE, confidence, confidence, (leaf_key(leaf),))


def _holds(predicate: Predicate, measure: float) -> bool:
    return (
        (predicate.gt is None or measure > predicate.gt)
        and (predicate.gte is None or measure >= predicate.gte)
        and (predicate.lt is None or measure < predicate.lt)
        and (predicate.lte is None or measure <= predicate.lte)
    )


class Tree:
    """One compiled rule tree."""

    __slots__ = ("_program",)

    def __init__(self, root: RuleNode, table: LeafTable, *, blocking: bool = False) -> None:
        self._program: tuple[Step, ...] = tuple(_compile(root, table, blocking))

    def __repr__(self) -> str:
        return f"<Tree of {len(self._program)} steps>"

    def evaluate(self, leaves: Sequence[Outcome]) -> Outcome:
        """The outcome of the root. O(nodes); `leaves` comes from the table it was compiled with."""
        stack: list[Outcome] = []
        for code, count in self._program:
            if code >= 0:
                stack.append(leaves[code])
                continue
            children = stack[len(stack) - count :]
            del stack[len(stack) - count :]
            if code == _AND:
                stack.append(all_of(children))
            elif code == _OR:
                stack.append(any_of(children))
            else:
                stack.append(negation(children[0]))
        return stack[0]


def _compile(root: RuleNode, table: LeafTable, blocking: bool) -> list[Step]:
    """Node before children, right to left, then reversed: children left to right, then node."""
    steps: list[Step] = []
    # Leaves are numbered in document order, which the reversed walk below would not give.
    pending: list[RuleNode] = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, Leaf):
            table.index(node, blocking)
        else:
            pending.extend(reversed(node.conditions))
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, Branch):
            steps.append((_OPERATORS[node.operator], len(node.conditions)))
            pending.extend(node.conditions)
        else:
            steps.append((table.index(node, blocking), 0))
    steps.reverse()
    return steps


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
