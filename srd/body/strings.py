"""Where a JSON string ends, found without looking at every byte twice.

Why this file exists: most bytes of a large body are inside strings, so this is where its speed is
decided. It must not know what a string is for.

Both finders keep only whether the last piece ended inside an escape. `find` returns the index of
the closing quote in this piece, or -1 when it is in a later one.
"""

from __future__ import annotations

from typing import Protocol

from srd.body import lexis, loose

_QUOTE, _BACKSLASH, _U = b'"\\u'
_SIMPLE_ESCAPES = frozenset(b'"\\/bfnrt')
_HEX = frozenset(b"0123456789abcdefABCDEF")
_LONG = 192  # from here on two searches beat one pattern (measured)


class Invalid(Exception):  # noqa: N818 - internal: the scanner makes a BodyError of it
    """Not JSON, at this index of the piece at hand."""

    def __init__(self, at: int, problem: str) -> None:
        super().__init__(problem)
        self.at = at
        self.problem = problem


class Finder(Protocol):
    """Finds ends of strings, one string after the other."""

    def find(self, data: bytes, at: int) -> int:
        """The closing quote of the open string whose inside goes on at `at`; -1: not in `data`."""


class StrictFinder:
    """Refuses control characters and unknown escapes (raises Invalid)."""

    __slots__ = ("_escape",)

    def __init__(self) -> None:
        self._escape = 0  # 1: after a backslash; 2..5: inside \u, counting its digits

    def find(self, data: bytes, at: int) -> int:
        """See Finder."""
        size = len(data)
        if self._escape:
            at = self._resume(data, at)
            if at == size:
                return -1
        quote = data.find(b'"', at)
        stop = size if quote < 0 else quote
        if stop - at >= _LONG and data.find(b"\\", at, stop) < 0:
            # A long plain stretch (an image, a document): two searches and one count.
            if len(data[at:stop].translate(None, lexis.CONTROLS)) != stop - at:
                match = lexis.CONTROL.search(data, at)
                raise Invalid(match.start() if match else at, "a control character in a string")
            return quote
        at = lexis.STRING_BODY.match(data, at).end()  # type: ignore[union-attr] # matches nothing too
        if at == size:
            return -1
        if data[at] == _QUOTE:
            return at
        if data[at] != _BACKSLASH:
            raise Invalid(at, "a control character in a string")
        self._escape = 1
        self._resume(data, at + 1)  # to the end, or it raises: a whole escape would have matched
        return -1

    def _resume(self, data: bytes, at: int) -> int:
        """Go on inside an escape; returns where it ended, or the end of `data`."""
        while self._escape and at < len(data):
            byte = data[at]
            if self._escape == 1:
                if byte == _U:
                    self._escape = 2
                elif byte in _SIMPLE_ESCAPES:
                    self._escape = 0
                else:
                    raise Invalid(at, "an unknown escape in a string")
            elif byte not in _HEX:
                raise Invalid(at, "a broken escape in a string")
            else:
                self._escape = self._escape + 1 if self._escape < 5 else 0
            at += 1
        return at


class LooseFinder:
    """Validates nothing: a quote behind an even number of backslashes ends the string."""

    __slots__ = ("_escaped",)

    def __init__(self) -> None:
        self._escaped = False

    def find(self, data: bytes, at: int) -> int:
        """See Finder."""
        if self._escaped:
            self._escaped = False
            at += 1
        quote = loose.string_end(data, at)
        if quote < 0:
            self._escaped = lexis.odd_backslashes(data, at, len(data))
        return quote
