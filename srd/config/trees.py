"""The one way to evaluate rule trees, and the one way to write them down.

Why this file exists: decisions, composers, scopes, summaries and explanations look at the same
trees, and must not each read AND, OR and NOT in a way of their own. It must not know signals nor
decisions: what a leaf is worth comes from the caller, as a value of the caller's algebra.

A tree is evaluated by one pass over its walk (`srd.config.rules`) read backwards, where every node
comes after all that is below it; so the depth of a document costs no recursion.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from srd.config.rules import Branch, Leaf, Operator, RuleNode, leaf_key, walk

__all__ = [
    "KLEENE",
    "Algebra",
    "Line",
    "Program",
    "Truth",
    "compiled",
    "fold",
    "lines",
    "one_line",
]

V = TypeVar("V")
L = TypeVar("L")


class Truth(enum.Enum):
    """Kleene's three values. UNKNOWN means: bytes still to come may decide it."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"

    def __invert__(self) -> Self:
        """Kleene negation; UNKNOWN stays UNKNOWN."""
        if self is Truth.UNKNOWN:
            return self
        return Truth.FALSE if self is Truth.TRUE else Truth.TRUE


# -- evaluating ------------------------------------------------------------------------------------


class Algebra(Protocol[V]):
    """What AND, OR and NOT make of the values below them. AND and OR may be of nothing."""

    def all_of(self, children: Sequence[V]) -> V:
        """AND."""
        ...

    def any_of(self, children: Sequence[V]) -> V:
        """OR."""
        ...

    def negation(self, child: V) -> V:
        """NOT."""
        ...


@dataclass(frozen=True, slots=True)
class _Fold:
    """The step that folds the last `count` values into one."""

    operator: Operator
    count: int


class Program(Generic[L]):
    """One tree, compiled: its leaves as `L`, children before their branch."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Sequence[L | _Fold]) -> None:
        self._steps = tuple(steps)

    def __repr__(self) -> str:
        return f"<Program of {len(self._steps)} steps>"

    def run(self, value: Callable[[L], V], algebra: Algebra[V]) -> V:
        """The value of the root. O(nodes)."""
        stack: list[V] = []
        for step in self._steps:
            if not isinstance(step, _Fold):
                stack.append(value(step))
                continue
            # The walk is read backwards, so the first condition is on top.
            start = len(stack) - step.count
            children = stack[start:]
            children.reverse()
            del stack[start:]
            if step.operator == "AND":
                stack.append(algebra.all_of(children))
            elif step.operator == "OR":
                stack.append(algebra.any_of(children))
            else:
                one = children[0] if len(children) == 1 else algebra.any_of(children)
                stack.append(algebra.negation(one))
        return stack[0]


def compiled(tree: RuleNode, of: Callable[[Leaf], L]) -> Program[L]:
    """The tree's program. `of` is asked for every leaf, in document order, and must give no branch
    of its own making: any value but a step of a program."""
    steps: list[L | _Fold] = [
        of(place.node)
        if isinstance(place.node, Leaf)
        else _Fold(place.node.operator, len(place.node.conditions))
        for place in walk(tree)
    ]
    steps.reverse()
    return Program(steps)


def fold(tree: RuleNode, value: Callable[[Leaf], V], algebra: Algebra[V]) -> V:
    """The tree's value, once. NOT of several conditions (a faulty document) is NOT any of them."""
    return compiled(tree, lambda leaf: leaf).run(value, algebra)


class _Kleene:
    """Plain three-valued logic."""

    def all_of(self, children: Sequence[Truth]) -> Truth:
        if Truth.FALSE in children:
            return Truth.FALSE
        return Truth.UNKNOWN if Truth.UNKNOWN in children else Truth.TRUE

    def any_of(self, children: Sequence[Truth]) -> Truth:
        if Truth.TRUE in children:
            return Truth.TRUE
        return Truth.UNKNOWN if Truth.UNKNOWN in children else Truth.FALSE

    def negation(self, child: Truth) -> Truth:
        return ~child


KLEENE: Algebra[Truth] = _Kleene()


# -- writing down ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a drawn tree: a node, its label, and how far it is indented."""

    node: RuleNode
    label: str
    indent: int


def lines(tree: RuleNode) -> Iterator[Line]:
    """The tree, a line for each node in document order; an AND or OR around a single condition says
    nothing and is left out."""
    below: list[int] = []  # for each branch above: how far its conditions are indented
    for place in walk(tree):
        del below[place.depth :]
        indent = below[-1] if below else 0
        node = place.node
        if isinstance(node, Branch) and len(node.conditions) == 1 and node.operator != "NOT":
            below.append(indent)
            continue
        yield Line(node, _label(node), indent)
        below.append(indent + 1)


def one_line(tree: RuleNode) -> str:
    """The tree as `a OR NOT (b AND c)`."""
    text, _ = fold(tree, lambda leaf: (_label(leaf), False), _TEXT)
    return text


def _label(node: RuleNode) -> str:
    if isinstance(node, Leaf):
        return leaf_key(node)
    if node.conditions:
        return node.operator
    return "never" if node.operator == "OR" else "always"


class _Text:
    """Values are texts, each with whether it needs brackets inside another branch."""

    def all_of(self, children: Sequence[tuple[str, bool]]) -> tuple[str, bool]:
        return self._joined("AND", children, "always")

    def any_of(self, children: Sequence[tuple[str, bool]]) -> tuple[str, bool]:
        return self._joined("OR", children, "never")

    def negation(self, child: tuple[str, bool]) -> tuple[str, bool]:
        return f"NOT {_bracketed(child)}", False

    @staticmethod
    def _joined(
        operator: Operator, children: Sequence[tuple[str, bool]], nothing: str
    ) -> tuple[str, bool]:
        if len(children) == 1:
            return children[0]
        return f" {operator} ".join(map(_bracketed, children)) or nothing, bool(children)


def _bracketed(part: tuple[str, bool]) -> str:
    text, loose = part
    return f"({text})" if loose else text


_TEXT: Algebra[tuple[str, bool]] = _Text()
