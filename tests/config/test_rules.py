from srd.config.rules import ALWAYS, Branch, Leaf, leaf_key, leaves, shown_key


def test_leaves_come_in_document_order() -> None:
    one, two, three = (Leaf(type="keyword", name=name) for name in "abc")
    tree = Branch(operator="OR", conditions=(one, Branch(operator="NOT", conditions=(two,)), three))
    assert list(leaves(tree)) == [one, two, three]
    assert list(leaves(one)) == [one]
    assert list(leaves(ALWAYS)) == []


def test_a_deep_tree_needs_no_stack() -> None:
    tree: Branch | Leaf = Leaf(type="keyword", name="a")
    for _ in range(100_000):
        tree = Branch(operator="AND", conditions=(tree,))
    assert len(list(leaves(tree))) == 1


def test_a_leaf_under_a_blocking_decision_has_a_key_of_its_own() -> None:
    leaf = Leaf(type="classifier", name="tone", label="rude")
    assert leaf_key(leaf) == "classifier:tone:rude"
    assert leaf_key(leaf, blocking=True) == "classifier:tone:rude@block"
    assert {shown_key(leaf_key(leaf, use)) for use in (True, False)} == {leaf_key(leaf)}
