"""Words, code, trees and tools for bodies: the same for the same seed, as long as asked.

Why this file exists: what an agent sends around a question is large and of another subject, and a
body that repeats one line packs like none that a client sends. It must not know any client.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable

_SUBJECTS = {
    "gardening": (
        "seed soil mulch compost bed rose prune frost bulb shade hedge border tomato trellis"
        " water spring root leaf stem lawn"
    ),
    "cooking": (
        "simmer onion stock butter flour oven whisk dough salt braise pan crust yeast basil"
        " roast sauce pepper knead zest syrup"
    ),
    "sailing": (
        "mast rope harbour tide keel rudder anchor wind sail deck buoy chart knot reef hull"
        " current sheet mooring jib tack"
    ),
}
_LINKS = ("the", "a", "of", "in", "with", "under", "over", "and", "then", "while", "near", "by")
_NAMES = ("load", "store", "parse", "render", "queue", "widget", "panel", "report", "batch", "item")
_FOLDERS = ("src", "lib", "app", "core", "ui", "api", "jobs", "tests", "docs", "scripts")
_ENDINGS = ("py", "ts", "tsx", "go", "rs", "md", "json", "yaml")


def _grown(size: int, piece: Callable[[], str]) -> str:
    pieces: list[str] = []
    length = 0
    while length < size:
        pieces.append(piece())
        length += len(pieces[-1])
    return "".join(pieces)[:size].rstrip()


def prose(rng: random.Random, size: int, subject: str = "gardening") -> str:
    """Sentences about a subject, about `size` characters."""
    words = _SUBJECTS[subject].split()

    def sentence() -> str:
        chosen = [rng.choice(words if at % 2 else _LINKS) for at in range(rng.randint(6, 14))]
        return " ".join(chosen).capitalize() + rng.choice([". ", ". ", ".\n", ", so it goes. "])

    return _grown(size, sentence)


def code(rng: random.Random, size: int) -> str:
    """Lines of a program, about `size` characters."""

    def function() -> str:
        name, other = rng.sample(_NAMES, 2)
        number = rng.randint(2, 97)
        return (
            f"def {name}_{other}_{number}({other}, limit={number}):\n"
            f"    for {name} in {other}[:limit]:\n"
            f'        if {name}.size > {number} and {name}.kind == "{rng.choice(_NAMES)}":\n'
            f"            yield {name}.value * {number}\n\n"
        )

    return _grown(size, function)


def tree(rng: random.Random, size: int) -> str:
    """A list of files, about `size` characters."""

    def line() -> str:
        folders = "/".join(rng.sample(_FOLDERS, rng.randint(1, 3)))
        return f"{folders}/{rng.choice(_NAMES)}_{rng.randint(1, 400)}.{rng.choice(_ENDINGS)}\n"

    return _grown(size, line)


def path(rng: random.Random) -> str:
    """One file."""
    return tree(rng, 80).splitlines()[0]


def rules(rng: random.Random, size: int) -> str:
    """Notes for a project as an agent's file has them, about `size` characters."""

    def rule() -> str:
        verb = rng.choice(["Keep", "Name", "Test", "Never edit", "Review", "Format"])
        place = f"{rng.choice(_FOLDERS)}/{rng.choice(_NAMES)}"
        heading = f"\n## {rng.choice(_NAMES).capitalize()}\n" if rng.random() < 0.15 else ""
        return f"{heading}- {verb} `{place}` {prose(rng, rng.randint(20, 70), 'sailing')}\n"

    return _grown(size, rule)


def tools(rng: random.Random, size: int) -> list[dict[str, object]]:
    """Definitions of tools (name, description, parameters), about `size` bytes of JSON."""
    made: list[dict[str, object]] = []
    length = 0
    while length < size:
        fields = rng.sample(_NAMES, 3)
        made.append(
            {
                "name": f"{rng.choice(_NAMES)}_{len(made)}",
                "description": rules(rng, min(1500, max(80, size - length))),
                "parameters": {
                    "type": "object",
                    "properties": {
                        field: {"type": "string", "description": prose(rng, 60)} for field in fields
                    },
                    "required": fields[:1],
                    "additionalProperties": False,
                },
            }
        )
        length += len(json.dumps(made[-1]))
    return made


def opaque(rng: random.Random, size: int) -> str:
    """Base64 of `size` characters: a picture, a signature, sealed reasoning."""
    return base64.b64encode(rng.randbytes(size * 3 // 4 + 3)).decode()[:size]
