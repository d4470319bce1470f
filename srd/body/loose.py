"""Values passed over without a look at what they say.

Why this file exists: behind a decision most bytes are only passed on, and the search for what must
still be edited there has to cost next to nothing, so here is only told where a value ends. Nothing
is validated: a quote behind an even number of backslashes ends a string, any closing bracket
closes. It must not know states or chunks.

The regular-expression engine looks at every byte of a class, a search for one byte does not: long
strings are searched, only short ones and the space between strings are matched (measured).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from srd.body import lexis
from srd.body.shapes import ONCE_IN_PART, PARTS

_QUOTE, _BACKSLASH, _ARRAY, _OBJECT = b'"\\[{'
_OPENING, _CLOSING = frozenset(b"[{"), frozenset(b"]}")
_FIRST_WINDOW, _WINDOW = 256, 2048
#: Deeper than this, as many bytes hold no bracket that leads out.
DEEP_SPAN = 256


def string_end(data: bytes, at: int) -> int:
    """The closing quote of the string whose inside goes on at `at`, no escape being open there;
    -1 when it is not in `data`."""
    for _ in range(2):
        quote = data.find(b'"', at)
        if quote < 0 or data[quote - 1] != _BACKSLASH or not lexis.odd_backslashes(data, at, quote):
            return quote
        at = quote + 1
    # Many escaped quotes: a copy without escapes is searched, a window at a time.
    size, window = len(data), _FIRST_WINDOW
    while at < size:
        piece = data[at : at + window].replace(b"\\\\", b"..").replace(b'\\"', b"..")
        quote = piece.find(b'"')
        if quote >= 0:
            return at + quote
        at += len(piece) - (piece[-1] == _BACKSLASH and at + len(piece) < size)
        window = _WINDOW
    return -1


def container_end(data: bytes, at: int, depth: int) -> tuple[int, int]:
    """Inside `depth` open brackets at `at`: (where this stopped, open brackets there).

    Depth 0: right behind the last closing bracket. Otherwise it stopped at the end of `data`, or at
    the opening quote of a string that does not end in it.
    """
    size, run = len(data), lexis.LOOSE_RUN.match
    while at < size:
        if depth > DEEP_SPAN:
            # No bracket in the next bytes can be the way out: count them all.
            match = lexis.LOOSE_DEEP_RUN.match(data, at, at + DEEP_SPAN)
            if match and match.end() > at:
                at = match.end()
                depth += opened(lexis.LOOSE_STRINGS, match.group())
                continue
        match = run(data, at)
        at = match.end() if match else at
        if at == size:
            break
        byte = data[at]
        if byte == _QUOTE:
            quote = string_end(data, at + 1)
            if quote < 0:
                break
            at = quote
        elif byte in _OPENING:
            depth += 1
        else:
            depth -= 1
            if not depth:
                return at + 1, 0
        at += 1
    return at, depth


def opened(strings: re.Pattern[bytes], run: bytes) -> int:
    """How many more brackets open in `run` than close, those in `strings` aside."""
    bare = strings.sub(b"", run)
    return bare.count(b"[") + bare.count(b"{") - bare.count(b"]") - bare.count(b"}")


def plain_objects(
    data: bytes,
    at: int,
    once: frozenset[bytes],
    depth: int,
    suspect: Callable[[bytes, int, int], bool] | None = None,
) -> int:
    """Objects, with commas between them, the first of which begins at data[at]: where the last one
    ends that is whole, has no escapes in its keys, repeats none of those in `once`, and is no
    `suspect`. 0 where the first is not like that: somebody must look closer. `depth`: so many
    arrays of parts inside each other are looked through as well, for what a part may not repeat."""
    end = 0
    while True:
        match = lexis.PLAIN_TURN.match(data, at)
        if match:  # the most frequent object of all
            quote = string_end(data, match.end())
            match = lexis.TURN_END.match(data, quote + 1) if quote >= 0 else None
            after = match.end() if match else _object_end(data, at, once, depth)
        else:
            after = _object_end(data, at, once, depth)
        if not after or (suspect is not None and suspect(data, at, after)):
            return end
        end = after
        match = lexis.NEXT_OBJECT.match(data, end)
        if match is None:
            return end
        at = match.end()


def _object_end(data: bytes, at: int, once: frozenset[bytes], depth: int) -> int:
    size = len(data)
    met: list[bytes] = []
    at += 1
    while True:
        match = lexis.SPACED_KEY.match(data, at)
        if match is None:
            return 0
        name, at = match.group(1), match.end()
        if name in once:
            if name in met:
                return 0
            met.append(name)
        if at == size:
            return 0
        if depth and name == PARTS and data[at] == _ARRAY:
            at = _parts_end(data, at, depth - 1)
        else:
            at = _value_end(data, at)
        if not at:
            return 0
        match = lexis.DELIMITER.match(data, at)
        if match is None:
            return 0
        at = match.end()
        if data[at - 1] in _CLOSING:
            return at


def _value_end(data: bytes, at: int) -> int:
    byte = data[at]
    if byte == _QUOTE:
        return string_end(data, at + 1) + 1
    if byte in _OPENING:
        at, depth = container_end(data, at + 1, 1)
        return 0 if depth else at
    match = lexis.PLAIN_SCALAR.match(data, at)
    return match.end() if match else 0


def _parts_end(data: bytes, at: int, depth: int) -> int:
    """An array of parts: where it ends, 0 where somebody must look closer."""
    match = lexis.EMPTY_ARRAY.match(data, at)
    if match:
        return match.end()
    while True:
        match = lexis.NEXT_ELEMENT.match(data, at)  # from the bracket or a comma to an element
        if match is None or match.end() == len(data):
            return 0
        at = match.end()
        if data[at] == _OBJECT:
            at = _object_end(data, at, ONCE_IN_PART, depth)
        else:
            at = _value_end(data, at)
        match = lexis.ELEMENT_END.match(data, at) if at else None
        if match is None:
            return 0
        at = match.end()
        if data[at - 1] in _CLOSING:
            return at
        at -= 1
