"""How often each row is seen per epoch.

Why this file exists: MMLU-Pro questions and our own chat prompts look like traffic; the large public
sets are there for breadth and must not drown them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .data import Row

#: Expected copies per epoch, by the beginning of the source's name; the first match counts.
DOMAIN = (
    ("mmlu-pro", 1.0),
    ("own", 1.0),
    ("mmlu", 0.6),
    ("clinc150", 0.3),
    ("opentrivia", 0.4),
    ("exams-qa", 0.25),
    ("gsm8k", 0.3),
    ("hendrycks-math", 0.3),
    ("mbpp", 0.3),
    ("medmcqa", 0.3),
    ("supergpqa", 0.25),
    ("legalbench", 0.25),
    ("", 0.5),
)


def weigh_domain(rows: list[Row]) -> list[Row]:
    """Set `weight` to the expected copies per epoch."""
    for row in rows:
        row.weight = next(weight for prefix, weight in DOMAIN if row.source.startswith(prefix))
    return rows


def weigh_jailbreak(rows: list[Row]) -> list[Row]:
    """Set `weight` so that a batch holds two attacks in five texts."""
    attacks = sum(row.jailbreak or 0 for row in rows)
    for row in rows:
        row.weight = 0.4 / max(attacks, 1) if row.jailbreak else 0.6 / max(len(rows) - attacks, 1)
    return rows


def weigh_pii(rows: list[Row]) -> list[Row]:
    """Set `weight` so that a third of the texts are clean."""
    clean = sum(not row.spans for row in rows)
    for row in rows:
        row.weight = 0.35 / max(clean, 1) if not row.spans else 0.65 / max(len(rows) - clean, 1)
    return rows
