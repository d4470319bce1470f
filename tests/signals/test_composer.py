import itertools
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from srd.config.rules import Branch, Leaf, Operator, RuleNode
from srd.signals.base import Evidence, Reach, Reading, Truth
from srd.signals.composer import Composer

Moment = Callable[..., Evidence]

T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN


@dataclass(frozen=True)
class Fixed:
    name: str
    value: Truth
    type: str = "keyword"
    reach: Reach = Reach.WINDOW
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        return Reading(self.value)


def holds(operator: Operator, *values: Truth) -> Truth:
    signals = {f"keyword:{i}": Fixed(str(i), value) for i, value in enumerate(values)}
    tree = Branch(
        operator=operator,
        conditions=tuple(Leaf(type="keyword", name=str(i)) for i in range(len(values))),
    )
    return Composer(tree, signals).holds(Evidence())


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("AND", (T, T), T),
        ("AND", (T, U), U),
        ("AND", (F, U), F),
        ("AND", (), T),
        ("OR", (F, T), T),
        ("OR", (U, T), T),
        ("OR", (F, U), U),
        ("OR", (), F),
        ("NOT", (T,), F),
        ("NOT", (U,), U),
        ("NOT", (F,), T),
    ],
)
def test_trees_are_kleenes(operator: Operator, values: tuple[Truth, ...], expected: Truth) -> None:
    assert holds(operator, *values) is expected


def test_de_morgan() -> None:
    for left, right in itertools.product((T, F, U), repeat=2):
        assert ~holds("AND", left, right) is holds("OR", ~left, ~right)


def test_a_leaf_without_a_signal_is_false() -> None:
    leaf = Leaf(type="keyword", name="gone")
    assert Composer(leaf, {}).holds(Evidence()) is F
    assert Composer(Branch(operator="NOT", conditions=(leaf,)), {}).holds(Evidence()) is T


def test_a_deep_tree_needs_no_recursion() -> None:
    tree: RuleNode = Leaf(type="keyword", name="a")
    for _ in range(10_000):
        tree = Branch(operator="NOT", conditions=(tree,))
    assert Composer(tree, {"keyword:a": Fixed("a", T)}).holds(Evidence()) is T
