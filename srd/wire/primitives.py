"""The protobuf wire format, as far as the codecs need it.

Why this file exists: betterproto2 accepts a truncated message silently, and a router that reads a
shortened body has lost bytes without noticing. Here every length is checked against the message
that contains it. It must not know any message.
"""

from __future__ import annotations

import functools

VARINT, FIXED64, LEN, GROUP, END_GROUP, FIXED32 = range(6)

MAX_DEPTH = 100
"""Nesting that is accepted, of groups and of structs: protobuf's own default."""

_64_BITS = (1 << 64) - 1
_FIXED = {FIXED64: 8, FIXED32: 4}


class WireError(ValueError):
    """The peer sent bytes that are not a message of the protocol.

    The stream they came on cannot go on: answer INVALID_ARGUMENT. Other streams are unaffected.
    """


def read_varint(data: bytes, pos: int) -> tuple[int, int]:
    """The unsigned varint at `pos` and the position after it; WireError or IndexError when cut.

    At most ten bytes; of the seventy bits the lower 64 count, as for protobuf.
    """
    result = 0
    for shift in range(0, 70, 7):
        byte = data[pos]
        pos += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & _64_BITS, pos
    raise WireError("varint longer than ten bytes")


def read_tag(data: bytes, pos: int) -> tuple[int, int]:
    """The tag at `pos` (field number << 3 | wire type) and the position after it."""
    tag, after = _read_any_tag(data, pos)
    if not tag >> 3:
        raise WireError("field number 0")
    return tag, after


def _read_any_tag(data: bytes, pos: int) -> tuple[int, int]:
    tag, after = read_varint(data, pos)
    if tag >> 32 or after - pos > 5:
        raise WireError("field number out of range")
    return tag, after


def read_span(data: bytes, pos: int, end: int) -> tuple[int, int]:
    """Start and stop of the length-delimited value whose length stands at `pos`."""
    length, start = read_varint(data, pos)
    if start - pos > 5:
        raise WireError("length written in more than five bytes")
    stop = start + length
    if stop > end:
        raise WireError(f"{length} bytes announced, {max(end - start, 0)} left in the message")
    return start, stop


def skip(data: bytes, pos: int, end: int, tag: int, depth: int = 0) -> int:
    """The position after the value of an unknown field whose tag ended at `pos`.

    The result may lie behind `end` when a varint ran out of its message: callers compare.
    """
    wire_type = tag & 7
    if wire_type == VARINT:
        return read_varint(data, pos)[1]
    if wire_type == LEN:
        return read_span(data, pos, end)[1]
    if wire_type in _FIXED:
        return pos + _FIXED[wire_type]
    if wire_type != GROUP or depth >= MAX_DEPTH:
        raise WireError(f"wire type {wire_type} where a field was expected")
    closing = tag + 1
    while True:
        inner, pos = _read_any_tag(data, pos)  # protobuf does not look at numbers in here
        if inner == closing:
            return pos
        pos = skip(data, pos, end, inner, depth + 1)
        if pos > end:
            raise WireError("group runs past the end of its message")


def to_int32(value: int) -> int:
    """The signed 32 bits that protobuf keeps of a varint for int32 and enum fields."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def decode_utf8(raw: bytes, what: str) -> str:
    """Text of a proto3 string field; WireError when it is not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise WireError(f"{what} is not UTF-8") from error


@functools.lru_cache(maxsize=4096)
def varint(value: int) -> bytes:
    """`value` (0 to 2^64 - 1) as a varint."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def delimited(number: int, payload: bytes) -> bytes:
    """A length-delimited field (bytes, string or message)."""
    return varint(number << 3 | LEN) + varint(len(payload)) + payload


def number_field(number: int, value: int) -> bytes:
    """A varint field, left out when it is zero as proto3 does. Negative values as 64 bits."""
    return varint(number << 3) + varint(value & 0xFFFFFFFFFFFFFFFF) if value else b""
