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

from srd.classify.inspection import WIDE, readings, suspects
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
#: The weight of the guard's log-odds, chosen on dev.
GUARD = 1.0
#: Taken from the bias, so it is raised; chosen with `guard.CAUTION` (results/inspection.md).
MARGIN = -0.8
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
    while len(found) < count and tries < 3 * count:
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
        for first, last in readings(text, profile, start, end, wide=value >= WIDE):
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
    inputs: np.ndarray, labels: np.ndarray, importance: np.ndarray, *, decay: float = 2.0
) -> np.ndarray:
    """Weights and, last, the bias, by Newton's method; the encoder's log-odds are hardly held back.

    The guard's are left out, since it has seen most of these texts in its own training and is too
    sure of them: they get the fixed weight `GUARD`.
    """
    columns = np.concatenate([np.delete(inputs, 1, 1), np.ones((len(inputs), 1))], axis=1)
    held = np.full(columns.shape[1], decay)
    held[0], held[-1] = 0.1, 1e-3
    weights = np.zeros(columns.shape[1])
    for _ in range(14):
        chances = 1 / (1 + np.exp(-np.clip(columns @ weights, -30, 30)))
        slope = columns.T @ (importance * (chances - labels)) + held * weights
        spread = importance * chances * (1 - chances) + 1e-6
        curve = (columns * spread[:, None]).T @ columns
        weights -= np.linalg.solve(curve + np.diag(held), slope)
    return np.insert(weights, 1, GUARD)


def fit(
    guard: Guard,
    model: Model,
    attacks: Sequence[Row],
    docs: Sequence[Document],
    threshold: float,
    log: Log,
    count: int = 4000,
    ordinary: int = 6000,
) -> None:
    """Fit on documents and attacks of train and dev, and set `guard.verdict`."""
    rng = random.Random(SEED + 21)
    phrases = [row for row in attacks if row.source.startswith("phrase")]
    whole = [row for row in attacks if not row.source.startswith("phrase")]
    groups = [
        attack_readings(guard, rows, docs, threshold, most, rng)
        for rows, most in (
            (_shuffled([row for row in whole if row.split == "train"], rng), count // 3),
            (_shuffled(phrases, rng), count // 5),
            ([row for row in whole if row.split == "dev"], count // 13),
        )
    ]
    benign = benign_readings(guard, docs, threshold, ordinary, rng)
    sizes = [len(group) for group in groups]
    log(f"{sizes} readings of attacks, phrases, dev attacks; {len(benign)} of benign text")
    found = [*groups[0], *groups[1], *groups[2], *benign]
    importance = np.ones(len(found))
    importance[sizes[0] + sizes[1] : sum(sizes)] = DEV_WEIGHT
    labels = np.zeros(len(found))
    labels[: sum(sizes)] = 1.0
    weights = regression(inputs(model, found), labels, importance)
    log(f"the encoder's weight is {weights[0]:.2f}")
    weights[-1] -= MARGIN
    guard.verdict = weights.astype(np.float32)


def _shuffled(rows: Sequence[Row], rng: random.Random) -> list[Row]:
    return rng.sample(list(rows), len(rows))
