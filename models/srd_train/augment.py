"""Changes training texts the way traffic does: cut short, surrounded, pasted with its options.

Why this file exists: the router reads beginnings, and people put questions into documents. It
changes training texts only; dev and test texts stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from .data import Row

_SPACE = re.compile(r"\s+")


def cut(text: str, rng: random.Random, *, least: int = 8) -> str:
    """Return a beginning of at least `least` words, ending anywhere (inside a word too)."""
    spaces = [match.start() for match in _SPACE.finditer(text.strip())]
    if len(spaces) <= least:
        return text
    floor = spaces[least]
    return text[: rng.randint(floor, len(text))]


def domain(row: Row, rows: list[Row], rng: random.Random) -> str:
    """Return a variant of a domain row's text; half of the time the text itself."""
    text, draw = row.text, rng.random()
    if draw < 0.25:
        return cut(text, rng)
    if draw < 0.33:
        return text.lower() if rng.random() < 0.7 else text.rstrip("?.! ")
    return text


def jailbreak(row: Row, rng: random.Random) -> str:
    """Return the text, now and then in lower case."""
    return row.text.lower() if rng.random() < 0.1 else row.text


def pii(row: Row, rng: random.Random) -> Row:
    """Return the row, now and then in lower case (same length, so the spans hold)."""
    lowered = row.text.lower()
    if rng.random() < 0.1 and len(lowered) == len(row.text):
        return replace(row, text=lowered)
    return row
