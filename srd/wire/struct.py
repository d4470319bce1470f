"""google.protobuf.Struct: how attributes, metadata and dynamic metadata travel.

Why this file exists: these are the only recursive messages of the protocol, and the only ones that
map to plain Python values. It must not know which message contains them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from srd.wire.primitives import (
    FIXED64,
    LEN,
    MAX_DEPTH,
    VARINT,
    WireError,
    decode_utf8,
    delimited,
    read_span,
    read_tag,
    read_varint,
    skip,
)

_DOUBLE = struct.Struct("<d")
_KEY, _ENTRY_VALUE = 1 << 3 | LEN, 2 << 3 | LEN
_NULL, _BOOL = 1 << 3 | VARINT, 4 << 3 | VARINT
_NUMBER = 2 << 3 | FIXED64
_STRING, _STRUCT, _LIST = 3 << 3 | LEN, 5 << 3 | LEN, 6 << 3 | LEN


def decode_struct(data: bytes, depth: int = 0) -> dict[str, object]:
    """A Struct as a dict of None, bool, float, str, list and dict; WireError when malformed."""
    if depth > MAX_DEPTH:
        raise WireError(f"struct nested deeper than {MAX_DEPTH}")
    return {key: decode_value(raw, depth + 1) for key, raw in decode_map(data, 1)}


def decode_map(data: bytes, number: int) -> list[tuple[str, bytes]]:
    """Entries of the map field `number` of the message `data`: key and undecoded value.

    A later entry of the same key follows the earlier one, as on the wire; unknown fields are
    skipped.
    """
    wanted, pos, end = number << 3 | LEN, 0, len(data)
    entries: list[tuple[str, bytes]] = []
    try:
        while pos < end:
            tag, pos = read_tag(data, pos)
            if tag == wanted:
                start, pos = read_span(data, pos, end)
                entries.append(_decode_entry(data[start:pos]))
            else:
                pos = skip(data, pos, end, tag)
    except IndexError:
        raise WireError("map is truncated") from None
    if pos != end:
        raise WireError("map is truncated")
    return entries


def _decode_entry(data: bytes) -> tuple[str, bytes]:
    key, value, pos, end = "", b"", 0, len(data)
    while pos < end:
        tag, pos = read_tag(data, pos)
        if tag in (_KEY, _ENTRY_VALUE):
            start, pos = read_span(data, pos, end)
            if tag == _KEY:
                key = decode_utf8(data[start:pos], "key of a map")
            else:
                value += data[start:pos]  # protobuf merges a repeated submessage
        else:
            pos = skip(data, pos, end, tag)
    if pos != end:
        raise WireError("map entry is truncated")
    return key, value


def decode_value(data: bytes, depth: int = 0) -> object:
    """A google.protobuf.Value; an empty one is None."""
    if depth > MAX_DEPTH:
        raise WireError(f"struct nested deeper than {MAX_DEPTH}")
    kind, value, nested, pos, end = 0, None, b"", 0, len(data)
    try:
        while pos < end:
            tag, pos = read_tag(data, pos)
            if tag in (_STRUCT, _LIST):
                start, pos = read_span(data, pos, end)
                nested = (nested if kind == tag else b"") + data[start:pos]
                # Decoded at once: one that a later member replaces must still be well-formed.
                value = _decode_nested(tag, nested, depth)
                kind = tag
            elif tag in (_NULL, _BOOL, _NUMBER, _STRING):
                kind, (value, pos) = tag, _decode_scalar(tag, data, pos, end)
            else:
                pos = skip(data, pos, end, tag)
    except IndexError:
        raise WireError("value is truncated") from None
    if pos != end:
        raise WireError("value is truncated")
    return value


def _decode_nested(tag: int, data: bytes, depth: int) -> object:
    return decode_struct(data, depth + 1) if tag == _STRUCT else _decode_list(data, depth + 1)


def _decode_scalar(tag: int, data: bytes, pos: int, end: int) -> tuple[object, int]:
    if tag == _STRING:
        start, stop = read_span(data, pos, end)
        return decode_utf8(data[start:stop], "string value"), stop
    if tag == _NUMBER:
        if pos + 8 > end:
            raise WireError("number is truncated")
        return _DOUBLE.unpack_from(data, pos)[0], pos + 8
    number, pos = read_varint(data, pos)
    return (None if tag == _NULL else bool(number)), pos


def _decode_list(data: bytes, depth: int) -> list[object]:
    values, pos, end = [], 0, len(data)
    while pos < end:
        tag, pos = read_tag(data, pos)
        if tag == _KEY:  # repeated Value values = 1
            start, pos = read_span(data, pos, end)
            values.append(decode_value(data[start:pos], depth + 1))
        else:
            pos = skip(data, pos, end, tag)
    if pos != end:
        raise WireError("list is truncated")
    return values


def encode_struct(values: Mapping[str, object]) -> bytes:
    """A Struct from None, bool, int, float, str, sequences and mappings; TypeError for others."""
    return encode_map(1, {key: encode_value(value) for key, value in values.items()})


def encode_map(number: int, entries: Mapping[str, bytes]) -> bytes:
    """The map field `number` from keys and encoded values."""
    return b"".join(
        delimited(number, delimited(1, encode_text(key)) + delimited(2, value))
        for key, value in entries.items()
    )


def encode_text(text: str) -> bytes:
    """UTF-8; a lone surrogate, which UTF-8 cannot carry, becomes a question mark."""
    return text.encode(errors="replace")


def encode_value(value: object) -> bytes:
    """A google.protobuf.Value; see encode_struct."""
    match value:
        case None:
            return b"\x08\x00"
        case bool():
            return b"\x20\x01" if value else b"\x20\x00"
        case int() | float():
            return b"\x11" + _DOUBLE.pack(float(value))
        case str():
            return delimited(3, encode_text(value))
        case Mapping():
            return delimited(5, encode_struct(value))
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            return delimited(6, b"".join(delimited(1, encode_value(item)) for item in value))
        case _:
            raise TypeError(f"a Struct cannot carry {type(value).__name__}")
