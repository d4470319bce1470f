"""Writes models/data/jailbreak_own.jsonl.gz: attacks, and benign prompts that look like attacks.

Why this file exists: the public attacks are few and of one style. The frames were written by hand;
a frame belongs to one split with all of its prompts. Frames that are crossed with the goals share
n-grams and form one cluster, so nearly all of those are training rows. The goals
name harms, and nothing here says how to do them.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from .common import OWN_DATA, SEED, write_jsonl_gz
from .write_prompts import held_split, sections

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Frames of these sections are filled this many times.
FILLED = {
    "override": 28,
    "persona": 34,
    "fiction": 34,
    "excuse": 34,
    "prefix": 26,
    "direct": 30,
    "pretext": 20,
}
WHOLE = ("extraction", "indirect")
LEADS = (
    "",
    "",
    "",
    "Hi! ",
    "Please read carefully. ",
    "Hello, how are you? I have one more thing. ",
    "Thank you for the summary. ",
    "What's the capital of France? Also: ",
    "I really like your answers so far. ",
)


def items(lines: list[str]) -> list[str]:
    """Split semicolon lists."""
    return [item.strip() for line in lines for item in line.split(";") if item.strip()]


def vary(text: str, rng: random.Random) -> str:
    """Change case and spacing as people do."""
    draw = rng.random()
    if draw < 0.12:
        return text.lower()
    if draw < 0.15:
        return text.upper()
    return text.replace(". ", ".\n") if draw < 0.2 else text


def attacks(rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield jailbreak rows."""
    seeds = sections("attacks.txt")
    goals, names = items(seeds["goal"]), items(seeds["name"])
    for kind, count in FILLED.items():
        for frame in seeds[kind]:
            for goal in rng.sample(goals, min(count, len(goals))):
                text = frame.replace("{goal}", goal).replace("{name}", rng.choice(names))
                yield _row(vary(rng.choice(LEADS) + text, rng), 1, frame, kind)
    for kind in WHOLE:
        for text in seeds[kind]:
            for lead in rng.sample(LEADS[2:], 4):
                yield _row(vary(lead + text, rng), 1, text, kind)
    yield from written("attacks", 1, rng)


def written(name: str, label: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield texts that were written whole: for training also with a lead; the held-back as is."""
    for text in sections(f"{name}_whole.txt").get("whole", ()):
        for lead in ("", rng.choice(LEADS[3:])):
            yield _row(vary(lead + text, rng), label, text, f"{name}-whole") | {"split": "train"}
    for text in sections(f"{name}_held.txt")["whole"]:
        yield _row(text, label, text, f"{name}-held") | {"split": held_split(text)}


def lookalikes(rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield benign rows that contain the words of attacks."""
    seeds = sections("lookalikes.txt")
    for frame in seeds["frame"]:
        for word in rng.sample(items(seeds["word"]), 24):
            yield _row(vary(frame.replace("{w}", word), rng), 0, frame, "word")
    for text in seeds["whole"]:
        for lead in rng.sample(LEADS[2:], 3):
            yield _row(vary(lead + text, rng), 0, text, "lookalike")
    for frame in seeds["roleplay"]:
        for role in items(seeds["r"]):
            task = rng.choice(seeds["task"])
            text = frame.replace("{r}", role).replace("{task}", task)
            # Frames, roles and tasks are crossed, so all of these form one cluster.
            yield _row(vary(text, rng), 0, frame, "roleplay") | {"split": "train"}
    yield from written("lookalikes", 0, rng)


def _row(text: str, label: int, group: str, kind: str) -> dict[str, Any]:
    return {"text": text, "jailbreak": label, "group": f"frame:{group}", "source": f"own-{kind}"}


def run() -> int:
    """Write the file and return the number of rows."""
    rng = random.Random(SEED + 1)
    return write_jsonl_gz(OWN_DATA / "jailbreak_own.jsonl.gz", [*attacks(rng), *lookalikes(rng)])
