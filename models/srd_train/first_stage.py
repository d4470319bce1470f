"""Fits the first stage: multinomial logistic regression on hashed n-grams, stored as int8 rows.

Why this file exists: `srd.classify.linear` defines the features and reads the table; this file fills
the table. Nothing else may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from . import data, mixture
from .common import DOMAINS, SEED, Log
from srd.classify.linear import Hasher, Hashing, LinearStage

if TYPE_CHECKING:
    from pathlib import Path

    from .data import Row

HASHING = Hashing(bits=18, char_ngrams=(4,), max_chars=3072, max_char_bytes=1024)
C = 20.0


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
    """Return the squared smoothed inverse document frequency, zero for buckets seen once or never."""
    seen = np.asarray((matrix > 0).sum(axis=0)).ravel()
    idf = np.log((1 + matrix.shape[0]) / (1 + seen)) + 1
    # A bucket of a single training text says nothing of the next one; it would only dilute the rest.
    return np.where(seen > 1, idf**2, 0.0).astype(np.float32)


def scale_rows(matrix: sparse.csr_matrix, squared: np.ndarray) -> sparse.csr_matrix:
    """Return counts times idf over the root of the summed squares, as LinearStage computes it."""
    norm = np.sqrt(np.maximum(matrix @ squared, 1e-9))
    scaled = (sparse.diags(1 / norm) @ matrix @ sparse.diags(np.sqrt(squared))).tocsr()
    scaled.eliminate_zeros()
    return scaled.astype(np.float32)


def quantize(weights: np.ndarray, squared: np.ndarray, bias: np.ndarray, hashing: Hashing) -> LinearStage:
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
        hashing=hashing, labels=DOMAINS, table=np.ascontiguousarray(table), scale=scale, bias=bias.astype(np.float32)
    )


def train(rows: list[Row], hashing: Hashing = HASHING, c: float = C) -> LinearStage:
    """Fit on `rows`, each weighted as the encoder's mixture weighs it."""
    matrix = counts([row.text for row in rows], hashing)
    squared = squared_idf(matrix)
    features = scale_rows(matrix, squared)
    wanted = [DOMAINS.index(row.domain or "") for row in rows]
    weight = [max(row.weight, 0.3) for row in rows]
    model = LogisticRegression(C=c, max_iter=30, tol=1e-3, random_state=SEED)
    model.fit(features, wanted, sample_weight=weight)
    return quantize(model.coef_ * np.sqrt(squared), squared, model.intercept_, hashing)


def fit(rows: list[Row], path: Path, log: Log) -> LinearStage:
    """Train on the train split, report on dev, write `path`."""
    chosen = mixture.weigh_domain(data.part(rows, "train"))
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
