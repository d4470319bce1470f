"""The letters of JSON as compiled patterns, and the decoding of one string.

Why this file exists: the scanner is a state machine over tokens; whatever can be taken in one step
by the regular-expression engine is described here. It must not know about states or chunks.

Every pattern is deterministic (one way to match) and possessive, so matching is linear and keeps no
backtracking stack (but see `compiled`). Lengths inside a composed pattern are bounded; what is
longer takes the scanner's slow way, which gives the same answer.
"""

from __future__ import annotations

import json
import re
import sys

_REPEATED_GROUP = re.compile(rb"\)(\*|\+|\{[0-9]*,[0-9]*\})\+")


def compiled(pattern: bytes) -> re.Pattern[bytes]:
    """The pattern, without possessive groups where Python's are broken (before 3.11.5, gh-106052:
    they match what they must not). These patterns have one way to match, so a plain repetition
    finds the same and only keeps a stack; possessive character classes were always right."""
    if sys.version_info < (3, 11, 5):
        pattern = _REPEATED_GROUP.sub(rb")\1", pattern)
    return re.compile(pattern)


_WS = rb"[ \t\r\n]*+"
_CHAR = rb'[^"\\\x00-\x1f]'
_ESCAPE = rb'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
_STRING = rb'"' + _CHAR + rb"{0,1024}+(?:" + _ESCAPE + _CHAR + rb'{0,1024}+)*+"'
# A number counts only when a byte that ends it is there: "12" may go on in the next chunk.
_NUMBER = (
    rb"-?(?:0|[1-9][0-9]{0,63}+)(?:\.[0-9]{1,63}+)?(?:[eE][+-]?[0-9]{1,63}+)?(?=[,\]} \t\r\n])"
)


#: Python's json reads the last three, and so do servers that are written in it.
_LITERAL = rb"true|false|null|NaN|-?Infinity"


def _value(levels: int) -> bytes:
    """A whole value with at most `levels` levels of brackets."""
    pattern = rb"(?:" + _STRING + rb"|" + _LITERAL + rb"|" + _NUMBER + rb")"
    for _ in range(levels):
        # After an element: a comma that something follows, or the closing bracket.
        pair = _STRING + _WS + rb":" + _WS + pattern + _WS
        objects = rb"\{" + _WS + rb"(?:" + pair + rb"(?:," + _WS + rb'(?=")|(?=\})))*+\}'
        arrays = rb"\[" + _WS + rb"(?:" + pattern + _WS + rb"(?:," + _WS + rb"(?!\])|(?=\])))*+\]"
        branches = (_STRING, objects, arrays, _LITERAL, _NUMBER)
        pattern = rb"(?:" + rb"|".join(branches) + rb")"
    return pattern


_NESTED = _value(6)

WHITESPACE = compiled(_WS)
#: `"key" : ` in one step; group 1 is the key, which has no escape in it.
KEY = compiled(rb'"([^"\\\x00-\x1f]{0,256}+)"' + _WS + rb":" + _WS)
#: The inside of a string, up to the first byte that cannot be in it (the quote, if all is well).
STRING_BODY = compiled(_CHAR + rb"*+(?:" + _ESCAPE + _CHAR + rb"*+)*+")
CONTROL = compiled(rb"[\x00-\x1f]")
CONTROLS = bytes(range(32))
#: A whole value of up to four levels, and runs of `, value` and `, "key": value`.
VALUE = compiled(_NESTED)
ITEMS = compiled(rb"(?:" + _WS + rb"," + _WS + _NESTED + rb")*+" + _WS)
MEMBERS = compiled(
    rb"(?:" + _WS + rb"," + _WS + _STRING + _WS + rb":" + _WS + _NESTED + rb")*+" + _WS
)
#: Up to a value: `"key": ` after a brace, and `, "key": ` and `, `.
MEMBER = compiled(_WS + _STRING + _WS + rb":" + _WS)
NEXT_MEMBER = compiled(rb"," + _WS + _STRING + _WS + rb":" + _WS)
NEXT_ITEM = compiled(rb"," + _WS)
#: A small scalar, whole.
SCALAR = compiled(
    rb'"' + _CHAR + rb"{0,256}+(?:" + _ESCAPE + _CHAR + rb'{0,256}+){0,16}+"|'
    + _LITERAL + rb"|" + _NUMBER
)  # fmt: skip
#: A plain message, the most frequent object of all: groups are the role and the raw content.
MESSAGE = compiled(
    rb'\{' + _WS + rb'"role"' + _WS + rb":" + _WS + rb'"([a-z]{1,16}+)"' + _WS + rb"," + _WS
    + rb'"content"' + _WS + rb":" + _WS
    + rb'"(' + _CHAR + rb"{0,4096}+(?:" + _ESCAPE + _CHAR + rb'{0,4096}+){0,256}+)"' + _WS + rb"\}"
)  # fmt: skip
#: A plain text part; its group is the text with its quotes.
TEXT_PART = compiled(
    rb"\{" + _WS + rb'"type"' + _WS + rb":" + _WS + rb'"text"' + _WS + rb"," + _WS
    + rb'"text"' + _WS + rb":" + _WS + rb"(" + _STRING + rb")" + _WS + rb"\}"
)  # fmt: skip
#: A name's letter or underline, spelled as an escape.
ESCAPED_LETTER = compiled(rb"\\u00[567]")
DIGITS = compiled(rb"[0-9]*+")
#: Below the recorded levels only brackets and strings count; other bytes must at least be JSON's.
DEEP = compiled(rb"[-+.,:0-9A-Za-z \t\r\n]*+")
DEEP_RUN = compiled(rb"(?:[-+.,:0-9A-Za-z \t\r\n\[\]{}]++|" + _STRING + rb")*+")
STRINGS = compiled(_STRING)

_LOOSE_STRING = rb'"[^"\\]{0,256}+(?:\\.[^"\\]{0,256}+){0,32}+"'
_SHORT_STRING = rb'"[^"\\]{0,32}+"'


def _balanced(levels: int) -> bytes:
    atoms = rb'[^"\[\]{}]++|' + _SHORT_STRING
    pattern = atoms
    for _ in range(levels):
        pattern = atoms + rb"|[\[{](?:" + pattern + rb")*+[\]}]"
    return rb"(?:" + pattern + rb")*+"


LOOSE_DEEP_RUN = compiled(rb'(?s)(?:[^"]++|' + _LOOSE_STRING + rb")*+")
LOOSE_STRINGS = compiled(rb"(?s)" + _LOOSE_STRING)
#: What may be passed over in a value that nobody reads and nobody validates.
LOOSE_RUN = compiled(_balanced(3))
#: In an object that is passed over member by member: a key, a scalar, and what follows a value.
SPACED_KEY = compiled(_WS + rb'"([^"\\\x00-\x1f]{0,256}+)"' + _WS + rb":" + _WS)
PLAIN_SCALAR = compiled(_LITERAL + rb"|" + _NUMBER)
#: A message whose content is a string, up to its opening quote; what follows the closing one.
PLAIN_TURN = compiled(
    rb"\{" + _WS + rb'"role"' + _WS + rb":" + _WS + rb'"[a-z]{1,16}+"' + _WS + rb"," + _WS
    + rb'"content"' + _WS + rb":" + _WS + rb'"'
)  # fmt: skip
TURN_END = compiled(_WS + rb"\}")
NEXT_OBJECT = compiled(_WS + rb"," + _WS + rb"(?=\{)")
DELIMITER = compiled(_WS + rb"[,}]")
#: In an array of parts that is passed over part by part.
EMPTY_ARRAY = compiled(rb"\[" + _WS + rb"\]")
NEXT_ELEMENT = compiled(rb"[\[,]" + _WS)
ELEMENT_END = compiled(_WS + rb"[,\]]")

_BACKSLASH = 0x5C
_UNPAIRED = re.compile("[\ud800-\udfff]")
_DECODER = json.JSONDecoder(strict=False)


def odd_backslashes(data: bytes, start: int, end: int) -> bool:
    """True when an odd number of backslashes stands directly before `end`, none before `start`.

    Looks at the run only, in growing pieces, so a megabyte of backslashes costs one pass.
    """
    if end <= start or data[end - 1] != _BACKSLASH:
        return False
    size = 16
    at = end
    while at > start:
        piece = data[max(start, at - size) : at]
        run = len(piece) - len(piece.rstrip(b"\\"))
        at -= run
        if run < len(piece):
            break
        size *= 4
    return (end - at) % 2 == 1


def unescape(body: str) -> str:
    """The text of a JSON string's inside; an unpaired surrogate becomes U+FFFD.

    Raises ValueError for an escape that JSON does not have.
    """
    text: str = _DECODER.decode(f'"{body}"')
    if "\\ud" in body or "\\uD" in body:
        return _UNPAIRED.sub("\ufffd", text)
    return text


def decode_string(token: bytes) -> str | None:
    """The text of a whole string token with its quotes; None when it is not a valid one."""
    body = token[1:-1].decode("utf-8", "replace")
    if "\\" not in body:
        return body
    try:
        return unescape(body)
    except ValueError:
        return None


def encode_string(text: str) -> bytes:
    """The shortest-lived JSON spelling of a text: quotes, backslashes and controls are escaped."""
    return _ENCODER.encode(text).encode("utf-8", "replace")


_ENCODER = json.JSONEncoder(ensure_ascii=False)
