import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd.config.rules import ALWAYS, Branch, Leaf, Operator, RuleNode
from srd.config.trees import KLEENE, Program, Truth, compiled, fold, lines, one_line

T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN
A, B, C = (Leaf(type="keyword", name=name) for name in "abc")


def branch(operator: Operator, *conditions: RuleNode) -> Branch:
    return Branch(operator=operator, conditions=conditions)


def deep(levels: int) -> RuleNode:
    node: RuleNode = A
    for level in range(levels):
        node = branch(("NOT", "AND", "OR")[level % 3], node)
    return node


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
        ("NOT", (), T),
        ("NOT", (F, T), F),
    ],
)
def test_truth_is_kleenes(operator: Operator, values: tuple[Truth, ...], expected: Truth) -> None:
    named = {Leaf(type="keyword", name=str(i)): value for i, value in enumerate(values)}
    assert fold(branch(operator, *named), named.__getitem__, KLEENE) is expected


def test_negating_twice_is_doing_nothing() -> None:
    assert [~~truth for truth in Truth] == list(Truth)


class Shape:
    """An algebra that writes down what it is given, in the order in which it is given."""

    def all_of(self, children):
        return ("AND", *children)

    def any_of(self, children):
        return ("OR", *children)

    def negation(self, child):
        return ("NOT", child)


nodes = st.recursive(
    st.sampled_from([A, B, C]),
    lambda inner: st.one_of(
        inner.map(lambda node: branch("NOT", node)),
        st.lists(inner, max_size=3).map(lambda kids: branch("AND", *kids)),
        st.lists(inner, max_size=3).map(lambda kids: branch("OR", *kids)),
    ),
    max_leaves=8,
)


def shape(node: RuleNode) -> object:
    if isinstance(node, Leaf):
        return node.name
    return (node.operator, *map(shape, node.conditions))


@settings(max_examples=150, deadline=None)
@given(tree=nodes)
def test_every_algebra_sees_the_tree_as_it_is_written(tree: RuleNode) -> None:
    assert fold(tree, lambda leaf: leaf.name, Shape()) == shape(tree)


def test_a_compiled_tree_asks_for_its_leaves_in_document_order_and_keeps_what_it_gets() -> None:
    numbers = itertools.count()
    program: Program[int] = compiled(
        branch("OR", A, branch("NOT", B), C), lambda leaf: next(numbers)
    )
    assert program.run(str, Shape()) == ("OR", "0", ("NOT", "1"), "2")
    assert repr(program) == "<Program of 5 steps>"


def test_a_hundred_thousand_levels_need_no_recursion() -> None:
    tree = deep(99_999)
    assert fold(tree, lambda leaf: T, KLEENE) is F  # 33,333 negations
    assert sum(1 for _ in lines(tree)) == 33_334


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (A, "keyword:a"),
        (Leaf(type="classifier", name="tone", label="rude"), "classifier:tone:rude"),
        (ALWAYS, "always"),
        (branch("OR"), "never"),
        (branch("AND", A), "keyword:a"),
        (branch("NOT", branch("OR", A, B)), "NOT (keyword:a OR keyword:b)"),
        (branch("AND", branch("OR", A, B), C), "(keyword:a OR keyword:b) AND keyword:c"),
        (branch("AND", branch("OR", branch("AND", A, B)), C),
         "(keyword:a AND keyword:b) AND keyword:c"),
        (branch("OR", branch("NOT", A), branch("AND")), "NOT keyword:a OR always"),
    ],
)  # fmt: skip
def test_a_tree_is_one_line(tree: RuleNode, text: str) -> None:
    assert one_line(tree) == text


def test_a_tree_is_a_line_for_each_node_that_says_something() -> None:
    tree = branch("AND", branch("OR", branch("AND", A, branch("NOT", branch("OR", B)))), ALWAYS)
    assert [(line.indent, line.label) for line in lines(tree)] == [
        (0, "AND"),
        (1, "AND"),
        (2, "keyword:a"),
        (2, "NOT"),
        (3, "keyword:b"),
        (1, "always"),
    ]
    assert [line.node for line in lines(tree)][2] is A
