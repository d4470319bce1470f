"""Changes training texts the way traffic does: cut short, surrounded, pasted with its options.

Why this file exists: the router reads beginnings, and people put questions into documents.
Training uses it; the `wrapped` sets of dev and test are made by it too, from held-back questions
and documents but with the same system prompts.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from .common import OWN_DATA

if TYPE_CHECKING:
    import random

    from .data import Row

CONTEXTS = ("context.txt", "context_more.txt")
_SPACE = re.compile(r"\s+")


def cut(text: str, rng: random.Random, *, least: int = 8) -> str:
    """Return a beginning of at least `least` words, ending anywhere (inside a word too)."""
    spaces = [match.start() for match in _SPACE.finditer(text.strip())]
    if len(spaces) <= least:
        return text
    floor = spaces[least]
    return text[: rng.randint(floor, len(text))]


@cache
def contexts() -> tuple[str, ...]:
    """Return neutral texts that come before questions: system prompts, mails, instructions."""
    seeds = OWN_DATA / "seeds"
    lines = "\n".join((seeds / name).read_text(encoding="utf-8") for name in CONTEXTS)
    return tuple(line.replace("\\n", "\n") for line in lines.splitlines() if line)


def passages(row: Row, rows: list[Row], rng: random.Random, *, same: bool, least: int = 0) -> str:
    """Return a few texts of the row's domain, or of any other, as retrieved documents.

    `least` is in characters; reached unless the domain's texts are very rare among the rows.
    """
    found: list[str] = []
    wanted = rng.randint(1, 4)
    for _ in range(400 + least):
        other = rng.choice(rows)
        if other is not row and (other.domain == row.domain) == same and other.lang == "English":
            found.append(other.text)
        if len(found) >= wanted and sum(map(len, found)) >= least:
            break
    mark = rng.choice(("[{}] ", "Document {}: ", "- ", "", "<doc id={}> "))
    return rng.choice(("\n", "\n\n")).join(
        mark.format(i + 1) + text for i, text in enumerate(found)
    )


def surround(row: Row, rows: list[Row], rng: random.Random, *, whole: bool = False) -> str:
    """Put the text behind a system prompt or beside documents; cut some unless `whole`."""
    draw, gap = (
        rng.random(),
        rng.choice(("\n\n", "\n", " ", "\n\nQuestion: ", "\n\nUser: ", "\nQ: ")),
    )
    if draw < 0.45:
        count = 1 if rng.random() < 0.8 else 2
        text = " ".join(rng.sample(contexts(), count)) + gap + row.text
    elif draw < 0.7:
        lead = rng.choice(("Context:\n", "Use these passages:\n", "", "Documents:\n"))
        text = lead + passages(row, rows, rng, same=True) + gap + row.text
    elif draw < 0.85:
        text = row.text + "\n\n" + passages(row, rows, rng, same=True)
    else:
        # Unrelated material after the question: the question decides.
        lead = rng.choice(("\n\nContext:\n", "\n\n---\n", "\n\nNotes:\n"))
        text = row.text + lead + passages(row, rows, rng, same=False)
    return text if whole or rng.random() >= 0.3 else cut(text, rng, least=30)


def with_options(text: str, options: list[str], rng: random.Random) -> str:
    """Return the question with some of its options, or, when they say enough, options alone."""
    shown = rng.sample(options, min(len(options), rng.randint(2, 5)))
    alone = "; ".join(shown)
    if rng.random() < 0.4 and sum(character.isalpha() for character in alone) > 40:
        return alone
    style = rng.choice(("\n{}) {}", " ({}) {}", "\n{}. {}", "\n- {1}"))
    return text + "".join(style.format("ABCDE"[i], option) for i, option in enumerate(shown))


def domain(row: Row, rows: list[Row], rng: random.Random) -> str:
    """Return a variant of a domain row's text; half of the time the text itself."""
    text, draw = row.text, rng.random()
    options = row.meta.get("options")
    if isinstance(options, list) and rng.random() < 0.2:
        return with_options(text, options, rng)
    if draw < 0.22:
        return cut(text, rng)
    if draw < 0.38 and row.lang == "English":
        return surround(row, rows, rng)
    if draw < 0.46:
        return text.lower() if rng.random() < 0.7 else text.rstrip("?.! ")
    return text


def jailbreak(row: Row, rows: list[Row], rng: random.Random) -> str:
    """Return the text, now and then in lower case or beside a benign one (the label stays)."""
    text, draw = row.text, rng.random()
    if draw < 0.1:
        return text.lower()
    if draw < 0.3:
        other = rng.choice(rows)
        if not other.jailbreak:
            parts = [text, other.text[:500]]
            rng.shuffle(parts)
            return rng.choice(("\n\n", "\n", " ")).join(parts)
    return text


def pii(row: Row, rows: list[Row], rng: random.Random) -> Row:
    """Return the row, now and then in lower case (if offsets hold) or joined to another."""
    lowered, draw = row.text.lower(), rng.random()
    if draw < 0.1 and len(lowered) == len(row.text):
        return replace(row, text=lowered)
    if draw < 0.25:
        other, gap = rng.choice(rows), rng.choice(("\n", " ", "\n\n"))
        shift = len(row.text) + len(gap)
        moved = tuple((start + shift, end + shift, kind) for start, end, kind in other.spans or ())
        return replace(row, text=row.text + gap + other.text, spans=(row.spans or ()) + moved)
    return row
