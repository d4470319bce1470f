import pytest

from srd.config.rules import ALWAYS, Branch, Leaf, RuleNode, leaf_key, leaves, shown_key, walk

ONE, TWO, THREE = (Leaf(type="keyword", name=name) for name in "abc")
INNER = Branch(operator="OR", conditions=(TWO,))
TREE = Branch(operator="AND", conditions=(ONE, INNER, THREE))


def deep(levels: int) -> RuleNode:
    node: RuleNode = Leaf(type="keyword", name="a")
    for _ in range(levels):
        node = Branch(operator="AND", conditions=(node,))
    return node


def test_leaves_come_in_document_order() -> None:
    assert list(leaves(TREE)) == [ONE, TWO, THREE]
    assert list(leaves(ONE)) == [ONE]
    assert list(leaves(ALWAYS)) == []


def test_the_walk_gives_every_node_with_its_path_a_branch_before_its_conditions() -> None:
    assert [(place.node, place.depth, place.path("r")) for place in walk(TREE)] == [
        (TREE, 0, "r"),
        (ONE, 1, "r.conditions[0]"),
        (INNER, 1, "r.conditions[1]"),
        (TWO, 2, "r.conditions[1].conditions[0]"),
        (THREE, 1, "r.conditions[2]"),
    ]


def test_a_deep_tree_needs_no_stack() -> None:
    assert len(list(leaves(deep(100_000)))) == 1


@pytest.mark.parametrize(
    ("leaf", "key"),
    [
        (ONE, "keyword:a"),
        (Leaf(type="complexity", name="deep:hard"), "complexity:deep:hard"),
        (Leaf(type="classifier", name="tone", label="rude"), "classifier:tone:rude"),
    ],
)
def test_a_key_names_type_rule_and_label_and_the_blocking_use_has_its_own(
    leaf: Leaf, key: str
) -> None:
    assert leaf_key(leaf) == key
    assert leaf_key(leaf, blocking=True) == f"{key}@block"
    assert shown_key(leaf_key(leaf, blocking=True)) == shown_key(key) == key
