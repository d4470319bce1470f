"""Fits the guard's verdict: what encoder, guard and embedding say together of a suspected window.

Why this file exists: the encoder learned whole prompts; of benign windows that the guard suspects
it flags two fifths. Its embedding tells them from attacks, and a logistic regression is enough for
that. Nothing else may write `Guard.verdict`. It needs numpy only.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from srd.classify.inspection import readings, suspects
from srd.classify.normal import readable

from .common import SEED, Log

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from srd.classify.guard import Guard

    from .data import Row
    from .guard import Document
    from .runtime import Model

_GLUE = ("\n", "\n\n", " ", "", '"')
#: The encoder has seen the train attacks and not those of dev, so these say more of it.
DEV_WEIGHT = 3.0
#: Taken from the bias: with `guard.CAUTION`, 1.5 at a hundred thousand characters; chosen on benign
#: texts.
MARGIN = 0.4
#: Characters of a document that are searched for suspects, and of the text around an attack.
_PART, _AROUND = 20_000, 1200


@dataclass(frozen=True, slots=True)
class Reading:
    """What the encoder would read of a suspected window, and the guard's log-odds."""

    text: str
    suspicion: float


def benign_readings(
    guard: Guard, docs: Sequence[Document], threshold: float, count: int, rng: random.Random
) -> list[Reading]:
    """Readings of benign documents; every kind of them gives about as many tries."""
    kinds: dict[str, list[Document]] = {}
    for doc in docs:
        kinds.setdefault(doc.kind, []).append(doc)
    found: list[Reading] = []
    tries = 0
    while len(found) < count and tries < 4 * count:
        tries += 1
        doc = rng.choice(kinds[rng.choice(sorted(kinds))])
        start = rng.randrange(max(len(doc.text) - _PART, 0) + 1)
        text = readable(doc.text[start : start + _PART])
        found += [reading for reading, _ in _readings(guard, text, threshold, 3)]
    return found[:count]


def attack_readings(
    guard: Guard,
    attacks: Sequence[Row],
    docs: Sequence[Document],
    threshold: float,
    count: int,
    rng: random.Random,
) -> list[Reading]:
    """Readings of attacks inside benign text, of those that hold most of one."""
    found: list[Reading] = []
    long = [doc for doc in docs if len(doc.text) > 2 * _AROUND]
    for number in range(2 * count):
        attack = attacks[number % len(attacks)].text
        doc = rng.choice(long)
        start = rng.randrange(len(doc.text) - _AROUND)
        around, place = doc.text[start : start + _AROUND], rng.randrange(_AROUND)
        left = around[:place] + rng.choice(_GLUE)
        text = readable(left + attack + rng.choice(_GLUE) + around[place:])
        for reading, (first, last) in _readings(guard, text, threshold, 3):
            shared = min(last, len(left) + len(attack)) - max(first, len(left))
            if shared >= min(0.6 * len(attack), 0.5 * (last - first)):
                found.append(reading)
        if len(found) >= count:
            break
    return found[:count]


def _readings(
    guard: Guard, text: str, threshold: float, most: int
) -> Iterator[tuple[Reading, tuple[int, int]]]:
    profile = guard.profile(text)
    for start, end, value in suspects(profile, threshold)[:most]:
        for first, last in readings(text, profile, start, end):
            yield Reading(text[first:last], value), (first, last)


def inputs(model: Model, readings: Sequence[Reading]) -> np.ndarray:
    """Encoder's log-odds, guard's log-odds, embedding: one row for each reading."""
    rows = []
    for reading in readings:
        ids = model.graph.encode(reading.text, 512).ids
        jailbreak, embedding = model.graph.run(ids, ["jailbreak_logits", "embedding"])
        rule = model.manifest["calibration"]["jailbreak"]
        odds = (float(jailbreak[1] - jailbreak[0]) + rule["bias"]) / rule["temperature"]
        rows.append(np.concatenate([[odds, reading.suspicion], embedding]))
    return np.array(rows, dtype=np.float64)


def regression(
    inputs: np.ndarray, labels: np.ndarray, importance: np.ndarray, *, decay: float = 4.0
) -> np.ndarray:
    """Weights and, last, the bias, by Newton's method; the two log-odds are hardly held back."""
    columns = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    held = np.full(columns.shape[1], decay)
    held[:2], held[-1] = decay / 50, 1e-6
    weights = np.zeros(columns.shape[1])
    for _ in range(12):
        chances = 1 / (1 + np.exp(-np.clip(columns @ weights, -30, 30)))
        slope = columns.T @ (importance * (chances - labels)) + held * weights
        spread = importance * chances * (1 - chances) + 1e-9
        curve = (columns * spread[:, None]).T @ columns
        weights -= np.linalg.solve(curve + np.diag(held), slope)
    return weights


def fit(
    guard: Guard,
    model: Model,
    attacks: Sequence[Row],
    docs: Sequence[Document],
    threshold: float,
    log: Log,
    count: int = 8000,
) -> None:
    """Fit on train documents and on attacks of train and dev, and set `guard.verdict`."""
    rng = random.Random(SEED + 21)
    benign = benign_readings(guard, docs, threshold, count, rng)
    groups = [
        attack_readings(
            guard, [row for row in attacks if row.split == split], docs, threshold, most, rng
        )
        for split, most in (("train", count * 3 // 4), ("dev", count // 13))
    ]
    readings = [*groups[0], *groups[1], *benign]
    log(f"{len(groups[0])} and {len(groups[1])} readings of attacks, {len(benign)} of benign text")
    importance = np.ones(len(readings))
    importance[len(groups[0]) : len(groups[0]) + len(groups[1])] = DEV_WEIGHT
    labels = np.zeros(len(readings))
    labels[: len(groups[0]) + len(groups[1])] = 1.0
    weights = regression(inputs(model, readings), labels, importance)
    weights[-1] -= MARGIN
    guard.verdict = weights.astype(np.float32)
