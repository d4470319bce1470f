"""A JSON number, byte by byte: the one token that says nothing about its end.

Why this file exists: "12" may go on in the next chunk, "1e" must. It must not know chunks.
"""

from __future__ import annotations

import enum

_ZERO, _NINE = b"09"


class Number(enum.IntEnum):
    """How far a number has come."""

    SIGN = 0
    ZERO = 1
    INTEGER = 2
    POINT = 3
    FRACTION = 4
    EXPONENT = 5
    EXPONENT_SIGN = 6
    EXPONENT_DIGITS = 7


#: A number may end here.
COMPLETE = frozenset((Number.ZERO, Number.INTEGER, Number.FRACTION, Number.EXPONENT_DIGITS))


def next_state(state: Number, byte: int) -> Number | None:
    """The number's next state after `byte`; None when `byte` is not part of it."""
    if _ZERO <= byte <= _NINE:
        if state is Number.SIGN:
            return Number.ZERO if byte == _ZERO else Number.INTEGER
        if state in (Number.POINT, Number.FRACTION):
            return Number.FRACTION
        if state is Number.INTEGER:
            return state
        return None if state is Number.ZERO else Number.EXPONENT_DIGITS
    if byte == 0x2E and state in (Number.ZERO, Number.INTEGER):
        return Number.POINT
    if byte in b"eE" and state in (Number.ZERO, Number.INTEGER, Number.FRACTION):
        return Number.EXPONENT
    if byte in b"+-" and state is Number.EXPONENT:
        return Number.EXPONENT_SIGN
    return None
