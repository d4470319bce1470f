"""Fits the first stage: multinomial logistic regression on hashed n-grams, stored as int8 rows.

Why this file exists: `srd.classify.linear` defines the features and reads the table; this file
fills the table. Nothing else may.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import sparse
from torch.nn import functional

from srd.classify.linear import Hasher, Hashing, LinearStage

from . import augment, data, mixture
from .common import DOMAINS, SEED, Log

if TYPE_CHECKING:
    from pathlib import Path

    from .data import Row

#: Chosen on dev: beyond it the encoder is worth its cost.
FADE_CHARS = 256
HASHING = Hashing(bits=19, char_ngrams=(4,), max_chars=3072, max_char_bytes=1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How the first stage is fitted."""

    epochs: int = 4
    batch: int = 256
    lr: float = 0.03
    decay: float = 1e-6
    hidden: float = 0.3
    least_weight: float = 0.3


PLAN = Plan()


def counts(texts: list[str], hashing: Hashing) -> sparse.csr_matrix:
    """Return occurrences per bucket, one row per text."""
    hasher = Hasher(hashing)
    buckets = [hasher.buckets(text) for text in texts]
    pointers = np.concatenate([[0], np.cumsum([len(b) for b in buckets])])
    values = np.ones(int(pointers[-1]), dtype=np.float32)
    shape = (len(texts), 1 << hashing.bits)
    matrix = sparse.csr_matrix((values, np.concatenate(buckets), pointers), shape=shape)
    matrix.sum_duplicates()
    return matrix


def squared_idf(matrix: sparse.csr_matrix) -> np.ndarray:
    """Return the squared inverse document frequency; zero for buckets seen once or never."""
    seen = np.asarray((matrix > 0).sum(axis=0)).ravel()
    idf = np.log((1 + matrix.shape[0]) / (1 + seen)) + 1
    # A bucket of a single training text says nothing of the next; it would only dilute.
    return np.where(seen > 1, idf**2, 0.0).astype(np.float32)


def scale_rows(matrix: sparse.csr_matrix, squared: np.ndarray) -> sparse.csr_matrix:
    """Return counts times idf over the root of the summed squares, as LinearStage computes it."""
    norm = np.sqrt(np.maximum(matrix @ squared, 1e-9))
    scaled = (sparse.diags(1 / norm) @ matrix @ sparse.diags(np.sqrt(squared))).tocsr()
    scaled.eliminate_zeros()
    return scaled.astype(np.float32)


def quantize(
    weights: np.ndarray, squared: np.ndarray, bias: np.ndarray, hashing: Hashing
) -> LinearStage:
    """Pack `weights` [labels, buckets] (idf folded in) and the squares into int8 rows.

    The few weights beyond the 99.99th percentile are clipped: they are certain either way, and
    the rest gains resolution.
    """
    columns = np.concatenate([weights, squared[None]]).T
    limit = np.quantile(np.abs(columns[np.abs(columns).sum(axis=1) > 0]), 0.9999, axis=0)
    limit[-1] = squared.max()
    scale = (limit / 127).astype(np.float32)
    table = np.clip(np.rint(columns / scale), -127, 127).astype(np.int8)
    return LinearStage(
        hashing=hashing,
        labels=DOMAINS,
        table=np.ascontiguousarray(table),
        scale=scale,
        fade_chars=FADE_CHARS,
        bias=bias.astype(np.float32),
    )


def train(rows: list[Row], hashing: Hashing = HASHING, plan: Plan = PLAN) -> LinearStage:
    """Fit on `rows`, weighted as for the encoder, but none below `least_weight`."""
    matrix = counts([row.text for row in rows], hashing)
    squared = squared_idf(matrix)
    features = scale_rows(matrix, squared)
    wanted = np.array([DOMAINS.index(row.domain or "") for row in rows])
    weight = np.array([max(row.weight, plan.least_weight) for row in rows], dtype=np.float32)
    weights, bias = descend(features, wanted, weight / weight.mean(), plan)
    return quantize(weights * np.sqrt(squared), squared, bias, hashing)


def descend(
    features: sparse.csr_matrix, wanted: np.ndarray, weight: np.ndarray, plan: Plan
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise the weighted cross entropy by Adam; a part of the features is hidden at each step.

    Hiding features makes the model spread its trust over many n-grams, which is what a beginning
    of a text, or an unseen topic, needs. Returns weights [labels, buckets] and biases.
    """
    generator = torch.Generator().manual_seed(SEED)
    # Only buckets that occur are trained: that is a third of the table.
    used, columns = np.unique(features.indices, return_inverse=True)
    table = torch.zeros(len(used), len(DOMAINS), requires_grad=True)
    bias = torch.zeros(len(DOMAINS), requires_grad=True)
    optimiser = torch.optim.Adam([table, bias], lr=plan.lr)
    indices, values = torch.from_numpy(columns), torch.from_numpy(features.data)
    pointers, labels = torch.from_numpy(features.indptr.astype(np.int64)), torch.from_numpy(wanted)
    weighed = torch.from_numpy(weight)
    steps = plan.epochs * -(-len(wanted) // plan.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(plan.epochs):
        for chosen in torch.randperm(len(wanted), generator=generator).split(plan.batch):
            spans = [(int(pointers[i]), int(pointers[i + 1])) for i in chosen]
            places = torch.cat([torch.arange(begin, end) for begin, end in spans])
            offsets = torch.tensor([0, *(end - begin for begin, end in spans[:-1])]).cumsum(0)
            kept = torch.rand(len(places), generator=generator) >= plan.hidden
            shown = values[places] * kept / (1 - plan.hidden) ** 0.5
            logits = bias + functional.embedding_bag(
                indices[places], table, offsets, mode="sum", per_sample_weights=shown
            )
            losses = functional.cross_entropy(logits, labels[chosen], reduction="none")
            loss = (losses * weighed[chosen]).mean() + plan.decay * (table**2).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    weights = np.zeros((len(DOMAINS), features.shape[1]), dtype=np.float32)
    weights[:, used] = table.detach().numpy().T
    return weights, bias.detach().numpy()


def with_variants(rows: list[Row]) -> list[Row]:
    """Add MMLU-Pro questions with their options, and texts cut short or put into documents.

    The options bring more words of the subject; the rest keeps the table honest about prompts
    whose words are mostly not the question's.
    """
    rng = random.Random(SEED)
    extra = []
    for row in rows:
        options = row.meta.get("options")
        if isinstance(options, list):
            extra.append(
                replace(row, text=f"{row.text} {' '.join(options)}", weight=row.weight / 2)
            )
        if row.lang == "English" and rng.random() < 0.35:
            short = rng.random() < 0.3
            text = augment.cut(row.text, rng) if short else augment.surround(row, rows, rng)
            extra.append(replace(row, text=text, weight=row.weight / 2))
    return rows + extra


def fit(rows: list[Row], path: Path, log: Log) -> LinearStage:
    """Train on the train split, report on dev, write `path`."""
    chosen = with_variants(mixture.weigh_domain(data.part(rows, "train")))
    stage = train(chosen)
    log(f"fitted on {len(chosen)} rows")
    for name, right in accuracies(stage, data.part(rows, "dev")).items():
        log(f"  dev {name}: {right}")
    stage.save(path)
    log(f"{path.name} {path.stat().st_size / 1e6:.2f} MB {stage}")
    return stage


def accuracies(stage: LinearStage, rows: list[Row]) -> dict[str, str]:
    """Return accuracy per group of sources."""
    groups: dict[str, list[bool]] = {}
    for row in rows:
        right = DOMAINS[int(stage.logits(row.text).argmax())] == row.domain
        name = "own" if row.source.startswith("own") else row.source
        for key in ("all", name if name in ("mmlu-pro", "own", "exams-qa") else "public"):
            groups.setdefault(key, []).append(right)
    return {key: f"{np.mean(v):.4f} of {len(v)}" for key, v in sorted(groups.items())}
