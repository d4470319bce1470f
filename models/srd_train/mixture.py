"""How often each row is seen per epoch.

Why this file exists: MMLU-Pro questions and our own chat prompts look like traffic; the large
public sets are there for breadth and must not drown them.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .common import SEED
from .data import Row

if TYPE_CHECKING:
    from collections.abc import Callable

#: Expected copies per epoch, by the beginning of the source's name; the first match counts.
DOMAIN = (
    ("mmlu-pro", 1.4),
    ("own-prompt", 1.2),
    ("own-exam", 1.0),
    ("own-foreign", 0.6),
    ("own", 0.5),
    ("mmlu", 0.4),
    ("clinc150", 0.2),
    ("opentrivia", 0.3),
    # English pieces of other languages: long, and the linear stage does better there.
    ("exams-qa", 0.12),
    ("gsm8k", 0.15),
    ("hendrycks-math", 0.15),
    ("mbpp", 0.15),
    ("medmcqa", 0.2),
    ("supergpqa", 0.15),
    ("legalbench", 0.1),
    ("", 0.3),
)


def weigh_domain(rows: list[Row]) -> list[Row]:
    """Set `weight` to the expected copies per epoch."""
    for row in rows:
        row.weight = next(weight for prefix, weight in DOMAIN if row.source.startswith(prefix))
    return rows


def everyday(rows: list[Row], count: int) -> list[Row]:
    """Return domain rows as examples of benign and of clean texts.

    A third each are our own English prompts, public English texts, and other languages: what the
    vocabulary does not know must not look like an attack or like a name.
    """
    rng = random.Random(SEED)
    english = [row for row in rows if row.lang == "English"]
    groups = (
        [row for row in english if row.source.startswith("own")],
        [row for row in english if not row.source.startswith("own")],
        [row for row in rows if row.lang != "English"],
    )
    chosen = [row for group in groups for row in rng.sample(group, min(len(group), count // 3))]
    return [Row(row.text, "everyday", jailbreak=0, spans=(), split=row.split) for row in chosen]


def weigh_jailbreak(rows: list[Row]) -> list[Row]:
    """Set `weight` so that a batch holds two attacks in five texts, public ones twice as often."""
    attacks = [row for row in rows if row.jailbreak]
    benign = [row for row in rows if not row.jailbreak]
    _share(attacks, 0.4, lambda row: 1.0 if row.source.startswith("own") else 2.5)
    _share(benign, 0.6, lambda row: 2.0 if row.source.startswith(("own", "piguard")) else 1.0)
    return rows


def weigh_pii(rows: list[Row]) -> list[Row]:
    """Set `weight` so that half of the texts are clean, and public sentences count most."""
    spans = [row for row in rows if row.spans]
    _share(spans, 0.5, lambda row: 0.35 if row.source.startswith("own") else 1.0)
    _share([row for row in rows if not row.spans], 0.5, lambda row: 1.0)
    return rows


def _share(rows: list[Row], share: float, relative: Callable[[Row], float]) -> None:
    total = sum(relative(row) for row in rows)
    for row in rows:
        row.weight = share * relative(row) / total
