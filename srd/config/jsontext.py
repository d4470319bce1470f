"""JSON text to the same nodes as YAML.

Why this file exists: JSON is almost YAML, but tabs, surrogate escapes and control characters are
not, and the standard parser forgets lines. It must not know what the document means.
"""

import bisect
import json
import re

from srd.config.nodes import MAX_DEPTH, Map, Node, Scalar, Seq, Unreadable, add_entry
from srd.config.problems import Position

__all__ = ["parse_json"]

_STRINGS = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null")


def parse_json(text: str) -> Node:
    """The one value in `text`. Raises Unreadable."""
    reader = _Reader(text)
    value, end = reader.value(reader.skip(0), 0)
    end = reader.skip(end)
    if end != len(text):
        raise reader.wrong("text after the document's end", end)
    return value


class _Reader:
    """Recursive descent; MAX_DEPTH bounds the stack."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at

    def wrong(self, what: str, at: int) -> Unreadable:
        return Unreadable(f"not JSON: {what}", self._position(at))

    def value(self, at: int, depth: int) -> tuple[Node, int]:
        if depth > MAX_DEPTH:
            raise self.wrong(f"nested deeper than {MAX_DEPTH} levels", at)
        first = self._text[at : at + 1]
        if first == "{":
            return self._object(at, depth)
        if first == "[":
            return self._array(at, depth)
        if first == '"':
            return self._string(at)
        word = _WORD.match(self._text, at)
        if word is None:
            raise self.wrong("expected a value", at)
        return Scalar(word.group(), True, self._position(at)), word.end()

    def _object(self, at: int, depth: int) -> tuple[Node, int]:
        node = Map(self._position(at))
        at = self.skip(at + 1)
        if self._text[at : at + 1] == "}":
            return node, at + 1
        while True:
            if self._text[at : at + 1] != '"':
                raise self.wrong("expected a key in double quotes", at)
            key, at = self._string(at)
            at = self._expect(":", self.skip(at))
            value, at = self.value(self.skip(at), depth + 1)
            add_entry(node, key, value)
            node.size += value.size
            at = self.skip(at)
            if self._text[at : at + 1] == "}":
                return node, at + 1
            at = self.skip(self._expect(",", at))

    def _array(self, at: int, depth: int) -> tuple[Node, int]:
        node = Seq(self._position(at))
        at = self.skip(at + 1)
        if self._text[at : at + 1] == "]":
            return node, at + 1
        while True:
            value, at = self.value(at, depth + 1)
            node.items.append(value)
            node.size += value.size
            at = self.skip(at)
            if self._text[at : at + 1] == "]":
                return node, at + 1
            at = self.skip(self._expect(",", at))

    def _string(self, at: int) -> tuple[Scalar, int]:
        try:
            text, end = _STRINGS.raw_decode(self._text, at)
        except json.JSONDecodeError as error:
            raise self.wrong(error.msg[0].lower() + error.msg[1:], error.pos) from None
        return Scalar(text, False, self._position(at)), end

    def _expect(self, mark: str, at: int) -> int:
        if self._text[at : at + 1] != mark:
            raise self.wrong(f"expected {mark!r}", at)
        return at + 1

    def _position(self, at: int) -> Position:
        line = bisect.bisect_right(self._starts, at)
        return (line, at - self._starts[line - 1] + 1)
