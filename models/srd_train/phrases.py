"""Expands models/data/seeds/phrases*.txt: what overrides, personas and extractions are made of.

Why this file exists: the written attacks are whole prompts; inside a long text one sentence is
enough, and it has hundreds of forms. Each line of the seeds is a pattern of alternatives in
brackets, which may nest. It only combines; the guard and its verdict are fitted on the phrases, the
encoder never saw them.
"""

from __future__ import annotations

import random

from .common import SEED
from .data import Row
from .write_prompts import sections

#: Phrases taken of a pattern, if it can say so many.
EACH = 40
_STARTS = ("", "", "", "", "Also, ", "And now: ", "Hi! ", "Please note. ", "ok. ", "IMPORTANT: ")


def expand(pattern: str, rng: random.Random) -> str:
    """One phrase of a pattern, each alternative being as likely as its neighbours."""
    return _sequence(pattern, 0, rng)[0]


def _sequence(pattern: str, place: int, rng: random.Random) -> tuple[str, int]:
    """What stands from `place` on up to the bracket that closes it, and where that is."""
    options = [""]
    while place < len(pattern) and pattern[place] != ")":
        char = pattern[place]
        if char == "(":
            text, place = _sequence(pattern, place + 1, rng)
            options[-1] += text
        elif char == "|":
            options.append("")
        else:
            options[-1] += char
        place += 1
    return rng.choice(options), place


def rows() -> list[Row]:
    """Attacks and harmless phrases, all of train; equal seeds give equal rows."""
    found: list[Row] = []
    for name, label in (("phrases.txt", 1), ("phrases_benign.txt", 0)):
        rng = random.Random(SEED + 31 + label)
        for kind, patterns in sections(name).items():
            for pattern in patterns:
                texts = {" ".join(expand(pattern, rng).split()): None for _ in range(2 * EACH)}
                found += [
                    Row(_varied(text, rng), f"phrase-{kind}", jailbreak=label)
                    for text in list(texts)[:EACH]
                    if text
                ]
    return found


def held() -> list[str]:
    """The held-back attacks, which no step reads but the measurement."""
    return sections("phrases_held.txt")["attack"]


def _varied(text: str, rng: random.Random) -> str:
    """Case and end as people write them."""
    draw = rng.random()
    if draw < 0.5:
        text = text[0].upper() + text[1:]
    elif draw < 0.56:
        text = text.upper()
    if text[-1] not in '.!?"。':
        text += rng.choice((".", ".", ".", "!", "", ":"))
    return rng.choice(_STARTS) + text
