"""Messages by field numbers."""

from __future__ import annotations

import pytest

from srd.wire.fields import Fields
from srd.wire.primitives import WireError, delimited, number_field


def test_fields_are_found_by_number_and_the_last_one_counts() -> None:
    data = delimited(1, b"a") + number_field(2, 7) + delimited(1, b"b") + number_field(2, 8)
    fields = Fields(data)
    assert fields.many(1) == [b"a", b"b"]
    assert (fields.raw(1), fields.number(2)) == (b"b", 8)
    assert fields.order == [1, 2, 1, 2]


def test_what_is_absent_is_none_or_zero() -> None:
    fields = Fields(b"")
    assert (fields.raw(1), fields.message(1), fields.number(1), fields.many(1)) == (
        None,
        None,
        0,
        [],
    )


def test_a_field_of_another_wire_type_is_not_mistaken() -> None:
    fields = Fields(number_field(1, 5) + b"\x15abcd" + b"\x19abcdefgh")
    assert (fields.raw(1), fields.number(1)) == (None, 5)


def test_repeated_submessages_merge() -> None:
    message = Fields(delimited(1, number_field(1, 1)) + delimited(1, number_field(2, 2))).message(1)
    assert message is not None
    assert (message.number(1), message.number(2)) == (1, 2)


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05abc", b"\x08", b"\x08\x80", b"\x15abc"])
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        Fields(data)
