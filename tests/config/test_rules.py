from srd.config.rules import ALWAYS, Branch, Leaf, leaves


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
