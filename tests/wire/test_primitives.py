"""The wire format's rules, one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.wire.primitives import (
    WireError,
    delimited,
    number_field,
    read_span,
    read_tag,
    read_varint,
    skip,
    to_int32,
    varint,
)


@given(st.integers(0, 2**64 - 1))
def test_a_varint_survives_the_way_through_bytes(number: int) -> None:
    raw = varint(number)
    assert read_varint(b"\xff" + raw + b"\x01", 1) == (number, 1 + len(raw))


@pytest.mark.parametrize("raw", [b"\x80" * 10 + b"\x01", b"\xff" * 11])
def test_a_varint_of_more_than_ten_bytes_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        read_varint(raw, 0)


@pytest.mark.parametrize(
    ("last", "number"), [(1, 2**64 - 1), (2, 2**63 - 1), (0x7F, 2**64 - 1)], ids=hex
)
def test_bits_of_a_varint_beyond_the_64th_are_dropped(last: int, number: int) -> None:
    assert read_varint(b"\xff" * 9 + bytes([last]), 0) == (number, 10)


@pytest.mark.parametrize("raw", [b"\x00", b"\x07", varint(2**32), b"\x8a\x80\x80\x80\x80\x00"])
def test_a_tag_without_a_field_number_or_beyond_32_bits_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        read_tag(raw, 0)


def test_a_tag_may_be_written_longer_than_needed() -> None:
    assert read_tag(b"\x8a\x80\x00", 0) == (10, 3)


def test_a_span_that_leaves_its_message_is_refused() -> None:
    assert read_span(b"\x02ab", 0, 3) == (1, 3)
    with pytest.raises(WireError, match="2 bytes announced, 1 left"):
        read_span(b"\x02ab", 0, 2)
    with pytest.raises(WireError, match="five bytes"):
        read_span(b"\x80\x80\x80\x80\x80\x00", 0, 6)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (8 | 0, b"\xac\x02"),
        (8 | 1, b"12345678"),
        (8 | 2, b"\x03abc"),
        (8 | 3, b"\x10\x01\x13\x14\x0c"),  # a group with a field and an empty group inside
        (8 | 5, b"1234"),
    ],
)
def test_an_unknown_field_of_any_type_is_skipped(tag: int, value: bytes) -> None:
    data = value + b"rest"
    assert skip(data, 0, len(data), tag) == len(value)


@pytest.mark.parametrize("tag", [8 | 4, 8 | 6, 8 | 7])
def test_a_group_end_alone_and_types_that_do_not_exist_are_refused(tag: int) -> None:
    with pytest.raises(WireError):
        skip(b"12345678", 0, 8, tag)


def test_a_group_closed_by_another_number_is_refused() -> None:
    with pytest.raises(WireError):
        skip(b"\x14", 0, 1, 8 | 3)


def test_int32_keeps_the_low_32_bits_with_their_sign() -> None:
    assert [to_int32(n) for n in (5, 2**32 - 1, 2**64 - 1, 2**31, 2**32 + 5)] == [
        5,
        -1,
        -1,
        -(2**31),
        5,
    ]


def test_fields_are_written_as_protobuf_does() -> None:
    assert delimited(16, b"ab") == b"\x82\x01\x02ab"
    assert number_field(1, 0) == b""
    assert number_field(1, -1) == b"\x08" + b"\xff" * 9 + b"\x01"
