"""What changed between two JSON texts, token by token, in linear time.

Why this file exists: `srd explain` shows the bytes that a decision changes, and a body may be
large; difflib is quadratic in its length. It must not know bodies or decisions.

Theory of operation. Both texts are walked side by side. Where they part, the nearest place where a
few tokens in a row are alike again ends the change. It is looked for no further than _REACH tokens
ahead; a change longer than that is shown as one, to the end of what the texts have in common there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["Change", "changes"]

#: (offset in the old text, old bytes, new bytes)
Change = tuple[int, bytes, bytes]

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s"{}\[\]:,]+|\s+|"', re.S)
_ALIKE = 4
_REACH = 4096
#: Stands behind the last token, so that the ends of both texts are alike; no token equals it.
_END = b""


def changes(before: bytes, after: bytes) -> Iterator[Change]:
    """Every run of JSON tokens that differs. O(len(before) + len(after)) for few changes."""
    old, new = _tokens(before), _tokens(after)
    at = i = j = 0
    ends = len(old) - _ALIKE, len(new) - _ALIKE
    while i < ends[0] or j < ends[1]:
        if old[i] == new[j]:
            at += len(old[i])
            i, j = i + 1, j + 1
            continue
        gone, came = _nearest(old, i, new, j) or _rest(old, i, new, j)
        yield _settled(at, old, i, gone, new, j, came)
        at += sum(map(len, old[i : i + gone]))
        i, j = i + gone, j + came


def _tokens(text: bytes) -> list[bytes]:
    return [*_TOKENS.findall(text), *[_END] * _ALIKE]


def _nearest(old: list[bytes], i: int, new: list[bytes], j: int) -> tuple[int, int] | None:
    """The fewest tokens to skip on both sides until _ALIKE of them are the same, if any."""
    places: dict[tuple[bytes, ...], int] = {}
    for came in range(min(_REACH, len(new) - _ALIKE - j) + 1):
        places.setdefault(tuple(new[j + came : j + came + _ALIKE]), came)
    best: tuple[int, int] | None = None
    for gone in range(min(_REACH, len(old) - _ALIKE - i) + 1):
        if best is not None and gone >= sum(best):
            break
        came_at = places.get(tuple(old[i + gone : i + gone + _ALIKE]))
        if came_at is not None and (best is None or gone + came_at < sum(best)):
            best = gone, came_at
    return best


def _rest(old: list[bytes], i: int, new: list[bytes], j: int) -> tuple[int, int]:
    """All that is left, but for the tail that both share."""
    gone, came = len(old) - _ALIKE - i, len(new) - _ALIKE - j
    while gone and came and old[i + gone - 1] == new[j + came - 1]:
        gone, came = gone - 1, came - 1
    return gone, came


def _settled(
    at: int, old: list[bytes], i: int, gone: int, new: list[bytes], j: int, came: int
) -> Change:
    """The change; an insertion is moved left over equal tokens if it then begins a value."""
    if not gone and came:
        for back in range(1, min(i, j, came) + 1):
            if old[i - back] != new[j + came - back]:
                break
            if old[i - back] in (b"{", b","):
                moved = new[j - back : j + came - back]
                return at - sum(map(len, old[i - back : i])), b"", b"".join(moved)
    return at, b"".join(old[i : i + gone]), b"".join(new[j : j + came])
