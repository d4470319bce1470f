"""Structs survive the way through bytes, and what is not a Struct is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd.wire.primitives import WireError, delimited
from srd.wire.struct import (
    decode_map,
    decode_struct,
    decode_value,
    encode_map,
    encode_struct,
    encode_value,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(texts, values, max_size=4))
def test_a_struct_survives_the_way_through_bytes(original: dict[str, object]) -> None:
    assert decode_struct(encode_struct(original)) == original


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(texts, values, min_size=1, max_size=3), st.data())
def test_a_cut_struct_is_refused_or_has_fewer_keys(
    original: dict[str, object], data: st.DataObject
) -> None:
    whole = encode_struct(original)
    cut = data.draw(st.integers(0, len(whole) - 1))
    try:
        left = decode_struct(whole[:cut])
    except WireError:
        return
    assert left.items() < original.items(), "only a cut between two entries may pass"


def test_numbers_are_doubles_and_not_a_number_stays_what_it_is() -> None:
    assert decode_struct(encode_struct({"a": 3})) == {"a": 3.0}
    assert math.isnan(decode_value(encode_value(math.nan)))  # type: ignore[arg-type]


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    assert decode_struct(encode_struct({"\udc80": "\udfff"})) == {"?": "?"}


def test_a_value_of_another_type_is_a_type_error() -> None:
    for value in (b"bytes", object(), {1, 2}):
        with pytest.raises(TypeError, match="cannot carry"):
            encode_struct({"key": value})


def test_a_later_member_replaces_and_the_same_message_member_merges() -> None:
    assert decode_value(encode_value("a") + encode_value(True)) is True
    assert decode_value(encode_value([1]) + encode_value([2])) == [1.0, 2.0]
    assert decode_value(encode_value([1]) + encode_value("x") + encode_value([2])) == [2.0]
    assert decode_value(b"") is None


def test_a_later_entry_of_a_map_wins_and_both_must_be_well_formed() -> None:
    first, second = encode_struct({"k": 1}), encode_struct({"k": 2})
    assert decode_struct(first + second) == {"k": 2.0}
    assert decode_map(encode_map(9, {"k": b""}), 9) == [("k", b"")]
    broken = delimited(1, delimited(1, b"k") + delimited(2, b"\x1a\x05abc"))
    with pytest.raises(WireError):
        decode_struct(broken + second)


def test_keys_and_strings_must_be_utf8() -> None:
    with pytest.raises(WireError, match="UTF-8"):
        decode_struct(delimited(1, delimited(1, b"\xff")))
    with pytest.raises(WireError, match="UTF-8"):
        decode_value(delimited(3, b"\xff"))
