"""One scalar as the type that is expected of it.

Why this file exists: YAML's guesses about types are wrong for a typed document (`no` is the
language Norwegian, `1.0` may be a version, Helm writes 10485760 as 1.048576e+07), so a scalar is
read only when it is known what it should be. It must not know structs or paths.
"""

import math
import re
from typing import Any

from srd.config.problems import closest, quote
from srd.config.shape import Anything, Choice, Number, Shape, Switch, Text

__all__ = ["Mismatch", "is_null", "natural", "read_scalar"]

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE"))
_FALSE = frozenset(("false", "False", "FALSE"))
#: YAML 1.1 spellings; taken where a boolean is expected, text everywhere else.
_YES = frozenset(("yes", "Yes", "YES", "on", "On", "ON", "y", "Y"))
_NO = frozenset(("no", "No", "NO", "off", "Off", "OFF", "n", "N"))
_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
_TOKENS = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kKmM]?)\s*")
#: Larger whole numbers mean a slip; 2^53 is where JSON's own numbers stop being exact.
_LARGEST = 2**53


class Mismatch(Exception):  # noqa: N818 - caught and reported, never seen
    """The author's: the scalar is not what is expected here."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def is_null(text: str, plain: bool) -> bool:
    """True for an empty value, `~` and `null`: they count as not written."""
    return plain and text in _NULLS


def read_scalar(text: str, plain: bool, expanded: bool, shape: Shape) -> Any:
    """The value of `text` under `shape`. Raises Mismatch.

    `plain` is unquoted; `expanded` means that environment variables were replaced in it, so that
    even quoted text may be a number.
    """
    bare = plain or expanded
    match shape:
        case Text():
            return _text(text, plain and not expanded, shape)
        case Choice():
            return _choice(text, shape)
        case Switch():
            return _switch(text, bare)
        case Number(tokens=True):
            return _tokens(text, shape)
        case Number():
            return _number(text, bare, shape)
        case Anything():
            return natural(text, plain)
        case _:
            raise Mismatch(f"expected {described(shape)}, got {_shown(text, plain)}")


def natural(text: str, plain: bool) -> Any:
    """A scalar that nobody expects anything of, by the rules of YAML 1.2."""
    if not plain:
        return text
    if text in _NULLS:
        return None
    if text in _TRUE | _FALSE:
        return text in _TRUE
    if _NUMBER.fullmatch(text):
        number = float(text.replace("_", ""))
        return int(number) if number.is_integer() and re.fullmatch(r"[-+]?\d+", text) else number
    return text


def described(shape: Shape) -> str:
    """What is expected, in words."""
    match shape:
        case Text():
            return "text"
        case Choice(options):
            return "one of " + ", ".join(quote(option) for option in options if option)
        case Switch():
            return "true or false"
        case Number(tokens=True):
            return "a number of tokens such as 8192 or 32K"
        case Number(whole=True):
            return "a whole number"
        case Number():
            return "a number"
        case Anything():
            return "a value"
    name = type(shape).__name__
    return "a list" if name == "ListOf" else "a mapping"


def _shown(text: str, plain: bool) -> str:
    if is_null(text, plain):
        return "nothing"
    if not plain:
        return f"the text {quote(text)}"
    kind = natural(text, plain)
    if isinstance(kind, bool):
        return text
    return f"the number {text}" if isinstance(kind, int | float) else quote(text)


def _text(text: str, plain: bool, shape: Text) -> str:
    if plain and not shape.word and not isinstance(natural(text, True), str):
        raise Mismatch(f"expected text, got {_shown(text, True)}", f"write {quote(text)} in quotes")
    if len(text) < shape.min_length:
        raise Mismatch("must not be empty")
    return text


def _choice(text: str, shape: Choice) -> str:
    if text not in shape.options:
        options = [option for option in shape.options if option]
        hint = closest(text, options) or "one of " + ", ".join(quote(o) for o in options)
        raise Mismatch(f"{quote(text)} is not known here", hint)
    return text


def _switch(text: str, bare: bool) -> bool:
    if bare and text in _TRUE | _YES:
        return True
    if bare and text in _FALSE | _NO:
        return False
    hint = "write it without quotes" if text in _TRUE | _FALSE else ""
    raise Mismatch(f"expected true or false, got {_shown(text, bare)}", hint)


def _number(text: str, bare: bool, shape: Number) -> int | float:
    if not (bare and _NUMBER.fullmatch(text.strip())):
        hint = "write it without quotes" if _NUMBER.fullmatch(text) else ""
        raise Mismatch(f"expected {described(shape)}, got {_shown(text, bare)}", hint)
    digits = text.strip().replace("_", "")
    if re.match(r"[-+]?0\d", digits):
        raise Mismatch(f"a leading zero makes {digits} ambiguous", "write it without the zero")
    value = float(digits)
    if not math.isfinite(value):
        raise Mismatch(f"{digits} is too large")
    if not shape.whole:
        _bounds(value, shape)
        return value
    if not value.is_integer():
        raise Mismatch(f"expected a whole number, got {digits}")
    if abs(value) >= _LARGEST:
        raise Mismatch(f"{digits} is too large")
    _bounds(value, shape)
    return int(value)


def _tokens(text: str, shape: Number) -> int:
    match = _TOKENS.fullmatch(text)
    if match is None:
        raise Mismatch(f"expected {described(shape)}, got {quote(text)}")
    factor = {"": 1, "k": 1_000, "m": 1_000_000}[match[2].lower()]
    value = float(match[1]) * factor
    if value > _LARGEST:
        raise Mismatch(f"{text.strip()} is too large")
    return int(value)


def _bounds(value: float, shape: Number) -> None:
    low, high = shape.ge, shape.le
    if (low is None or value >= low) and (high is None or value <= high):
        return
    if low is not None and high is not None:
        raise Mismatch(f"must be between {low:g} and {high:g}, got {value:g}")
    raise Mismatch(
        f"must be at least {low:g}, got {value:g}"
        if low is not None
        else f"must be at most {high:g}, got {value:g}"
    )
