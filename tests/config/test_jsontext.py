import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.config.jsontext import parse_json
from srd.config.nodes import MAX_DEPTH, Map, Node, Scalar, Seq, Unreadable
from srd.config.scalars import natural

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text() | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _plain(node: Node) -> object:
    if isinstance(node, Scalar):
        return natural(node.text, node.plain)
    if isinstance(node, Seq):
        return [_plain(item) for item in node.items]
    return {key: _plain(value) for key, value in node.entries.items()}


@given(VALUES, st.sampled_from([None, 1, "\t"]))
def test_it_reads_what_the_standard_module_writes(value: object, indent: int | str | None) -> None:
    assert _plain(parse_json(json.dumps(value, indent=indent))) == value


def test_a_value_knows_its_line_and_column() -> None:
    node = parse_json('{\n  "a": 1,\n\t"b": ["x"]\n}')
    assert isinstance(node, Map)
    assert node.keys == {"a": (2, 3), "b": (3, 2)}
    assert node.entries["a"] == Scalar("1", True, (2, 8))


def test_a_repeated_key_is_noted_with_its_place() -> None:
    node = parse_json('{"a": 1,\n "a": 2}')
    assert isinstance(node, Map)
    assert node.repeated == [("a", (2, 2))]


@pytest.mark.parametrize(
    "text",
    ["", "{", "{]", '{"a"}', '{"a":}', '{"a":1,}', "[1,]", "[1 2]", '{"a":1}x', "nul", "01", "NaN",
     '"\n"', '"\\x"', "'a'", "{a: 1}", "[" * (MAX_DEPTH + 2), "[" * 100_000, '{"a":' * 100_000],
)  # fmt: skip
def test_what_is_not_json_is_refused_with_a_place(text: str) -> None:
    with pytest.raises(Unreadable, match="not JSON") as caught:
        parse_json(text)
    assert caught.value.position is not None
