"""Where the members of a JSON object and the items of an array stand, as byte spans.

Why this file exists: the oracle compares bytes member by member and must not use srd's scanner for
it. It reads only valid JSON (the json module says so first) and is linear.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_PLAIN = re.compile(rb"[^\s,\]}]+")
_NEXT = re.compile(rb'["\[\]{}]')


@dataclass(frozen=True, slots=True)
class Member:
    """`"name": value`: the key starts at `start`, the value is [value, end)."""

    name: str
    start: int
    key_end: int
    value: int
    end: int


def members(raw: bytes, at: int | None = None) -> list[Member]:
    """The members of the object at `at` (the document's, if not given), in order."""
    if at is None:
        at = _space(raw, 3 if raw.startswith(b"\xef\xbb\xbf") else 0)
    found = []
    at = _space(raw, at + 1)
    while raw[at : at + 1] != b"}":
        key_end = _value_end(raw, at)
        value = _space(raw, _space(raw, key_end) + 1)
        end = _value_end(raw, value)
        name = json.loads(raw[at:key_end])
        found.append(Member(name, at, key_end, value, end))
        at = _space(raw, end)
        if raw[at : at + 1] == b",":
            at = _space(raw, at + 1)
    return found


def items(raw: bytes, at: int) -> list[tuple[int, int]]:
    """The spans of the items of the array at `at`."""
    found = []
    at = _space(raw, at + 1)
    while raw[at : at + 1] != b"]":
        end = _value_end(raw, at)
        found.append((at, end))
        at = _space(raw, end)
        if raw[at : at + 1] == b",":
            at = _space(raw, at + 1)
    return found


def _space(raw: bytes, at: int) -> int:
    return _match(_SPACE, raw, at)


def _match(pattern: re.Pattern[bytes], raw: bytes, at: int) -> int:
    found = pattern.match(raw, at)
    if found is None:
        raise ValueError(f"not JSON at byte {at}: {raw[at : at + 20]!r}")
    return found.end()


def _value_end(raw: bytes, at: int) -> int:
    first = raw[at : at + 1]
    if first == b'"':
        return _match(_STRING, raw, at)
    if first not in (b"{", b"["):
        return _match(_PLAIN, raw, at)
    depth = 0
    while True:
        found = _NEXT.search(raw, at)
        if found is None:
            raise ValueError("the document ends inside a value")
        mark, at = found.group(), found.end()
        if mark == b'"':
            at = _match(_STRING, raw, found.start())
        elif mark in (b"{", b"["):
            depth += 1
        else:
            depth -= 1
            if not depth:
                return at
