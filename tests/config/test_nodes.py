import pytest

from srd.config.nodes import MAX_DEPTH, Map, Scalar, Seq, Unreadable, parse_yaml


def _map(text: str) -> Map:
    node = parse_yaml(text)
    assert isinstance(node, Map)
    return node


def test_a_node_knows_its_line_and_column_and_whether_it_was_quoted() -> None:
    node = _map("a: 1\nb:\n  - 'x'\n")
    assert node.keys == {"a": (1, 1), "b": (2, 1)}
    items = node.entries["b"]
    assert isinstance(items, Seq)
    assert items.items == [Scalar("x", False, (3, 5))]
    assert node.entries["a"] == Scalar("1", True, (1, 4))


@pytest.mark.parametrize(
    ("text", "plain"),
    [("5", True), ("'5'", False), ('"5"', False), ("!!str 5", False), ("!!int '5'", True),
     ("! 5", False), ("|\n  5", False)],
)  # fmt: skip
def test_only_an_unquoted_scalar_is_plain(text: str, plain: bool) -> None:
    node = _map(f"a: {text}").entries["a"]
    assert isinstance(node, Scalar)
    assert node.plain is plain


def test_a_repeated_key_keeps_the_first_value_and_is_noted() -> None:
    node = _map("a: 1\nb: 2\na: 3\n")
    assert node.entries["a"] == Scalar("1", True, (1, 4))
    assert node.repeated == [("a", (3, 1))]


@pytest.mark.parametrize("key", ["1", "1.5", "true", "null", "~", "? [a]\n", "? {a: 1}\n"])
def test_a_key_that_is_not_text_is_noted(key: str) -> None:
    node = _map(f"{key}: x\nb: y\n")
    assert len(node.odd) == 1
    assert list(node.entries) == ["b"]


@pytest.mark.parametrize("key", ["on", "no", "'1'", "a b", "gpt-4.1", "1a"])
def test_a_key_that_yaml_1_2_reads_as_text_is_text(key: str) -> None:
    assert not _map(f"{key}: x").odd


def test_an_alias_shares_the_node_of_its_anchor() -> None:
    node = _map("a: &x [1]\nb: *x\n")
    assert node.entries["a"] is node.entries["b"]


def test_merged_mappings_fill_in_what_a_mapping_does_not_have() -> None:
    node = _map("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  <<: [*x, *y]\n  a: 9\n").entries["z"]
    assert isinstance(node, Map)
    values = {key: value.text for key, value in node.entries.items() if isinstance(value, Scalar)}
    assert values == {"a": "9", "b": "1", "c": "2"}
    assert not node.repeated


def test_aliases_that_multiply_are_refused_without_being_followed() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(Unreadable, match="once aliases are followed"):
        parse_yaml("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "empty"),
        ("# only a comment\n", "empty"),
        ("a: &x [*x]", "contains itself"),
        ("a: *nobody", "has no anchor"),
        ("a: !!python/object:os.system x", "tag"),
        ("a: !custom {b: 1}", "tag"),
        ("<<: [1]", "<< takes a mapping"),
        ("a: [1", "not YAML"),
        ("a: 'x", "not YAML"),
        ("a:\n\tb: 1", "not YAML"),
        ("a: b: c", "not YAML"),
        ("a: \x00", "not YAML"),
        ("[" * (MAX_DEPTH + 1), "nested deeper"),
        ("[" * 200_000, "nested deeper"),
        ("- " * 100_000, "nested deeper"),
    ],
)
def test_a_text_that_is_not_one_document_is_refused(text: str, what: str) -> None:
    with pytest.raises(Unreadable, match=what):
        parse_yaml(text)


def test_a_syntax_error_names_its_line() -> None:
    with pytest.raises(Unreadable) as caught:
        parse_yaml("a: 1\nb: [1\nc: 2\n")
    assert caught.value.position is not None
    assert caught.value.position[0] >= 2


@pytest.mark.parametrize("rest", ["b: 2\n", "", "][ no yaml\n", "- x\n---\n- y\n"])
def test_what_stands_behind_the_first_document_is_not_read(rest: str) -> None:
    more: list[tuple[int, int]] = []
    assert parse_yaml("a: 1\n---\n" + rest, more) == parse_yaml("a: 1\n")
    assert [line for line, _ in more] == [2]
