"""Figures of merit, from arrays. Knows no model and no file."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from srd.classify.api import PiiSpan

BINS = 15
Span = tuple[int, int, str]


def accuracy(scores: np.ndarray, wanted: np.ndarray) -> float:
    """Return the share of rows whose best label is the wanted one."""
    return round(float((scores.argmax(1) == wanted).mean()), 4)


def classification(
    probabilities: np.ndarray, wanted: np.ndarray, labels: Sequence[str]
) -> dict[str, Any]:
    """Return accuracy, macro F1, ECE, the reliability table and recall and precision per class."""
    guess, sure = probabilities.argmax(1), probabilities.max(1)
    right = guess == wanted
    recall, precision, f1 = {}, {}, []
    for index, label in enumerate(labels):
        hits = float((right & (wanted == index)).sum())
        real, said = float((wanted == index).sum()), float((guess == index).sum())
        if real:
            recall[label] = round(hits / real, 3)
            precision[label] = round(hits / said, 3) if said else 0.0
            f1.append(2 * hits / (real + said))
    table = list(reliability(sure, right))
    return {
        "accuracy": round(float(right.mean()), 4),
        "macro_f1": round(float(np.mean(f1)), 4),
        "ece": round(
            sum(abs(r["confidence"] - r["accuracy"]) * r["rows"] for r in table) / len(wanted), 4
        ),
        "reliability": table,
        "recall": recall,
        "precision": precision,
        "confusions": confusions(guess, wanted, labels),
    }


def reliability(sure: np.ndarray, right: np.ndarray) -> Iterator[dict[str, float]]:
    """Yield mean confidence and accuracy per filled bin."""
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    for index in range(BINS):
        chosen = bins == index
        if chosen.any():
            yield {
                "rows": int(chosen.sum()),
                "confidence": round(float(sure[chosen].mean()), 4),
                "accuracy": round(float(right[chosen].mean()), 4),
            }


def confusions(guess: np.ndarray, wanted: np.ndarray, labels: Sequence[str]) -> list[str]:
    """Return the ten most frequent mistakes."""
    pairs = Counter((int(w), int(g)) for w, g in zip(wanted, guess, strict=True) if w != g)
    return [f"{labels[w]} -> {labels[g]}: {count}" for (w, g), count in pairs.most_common(10)]


def at_confidence(
    first: np.ndarray, full: np.ndarray, wanted: np.ndarray, confidence: float
) -> dict[str, float]:
    """Return the share that the first stage answers and the accuracy of the cascade."""
    answered = first.max(1) >= confidence
    right = np.where(answered, first.argmax(1), full.argmax(1)) == wanted
    alone = float((full.argmax(1) == wanted).mean())
    return {
        "confidence": confidence,
        "answered": round(float(answered.mean()), 4),
        "accuracy": round(float(right.mean()), 4),
        "lost": round(alone - float(right.mean()), 4),
    }


def cascade(first: np.ndarray, full: np.ndarray, wanted: np.ndarray) -> list[dict[str, float]]:
    """Return `at_confidence` along the curve."""
    levels = np.round(np.arange(0.3, 1.0, 0.05), 2)
    return [at_confidence(first, full, wanted, float(level)) for level in levels]


def auc(scores: np.ndarray, wanted: np.ndarray) -> float:
    """Return the probability that an attack scores above a benign text."""
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    for value in np.unique(scores):
        same = scores == value
        if same.sum() > 1:
            ranks[same] = ranks[same].mean()
    positives, negatives = int(wanted.sum()), int((1 - wanted).sum())
    return float(
        (ranks[wanted == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    )


def binary(risk: np.ndarray, wanted: np.ndarray, threshold: float) -> dict[str, float]:
    """Return AUC, recall at 1 % false positives, and both rates at the threshold."""
    limit = np.quantile(risk[wanted == 0], 0.99)
    return {
        "auc": round(auc(risk, wanted), 4),
        "recall_at_1pct_fp": round(float((risk[wanted == 1] > limit).mean()), 4),
        "recall": round(float((risk[wanted == 1] >= threshold).mean()), 4),
        "false_positives": round(float((risk[wanted == 0] >= threshold).mean()), 4),
        "attacks": int(wanted.sum()),
        "benign": int((1 - wanted).sum()),
    }


def flagged(
    sources: list[str], wanted: np.ndarray, hits: np.ndarray
) -> Iterator[tuple[str, int, float, int]]:
    """Yield source, label, share flagged and row count."""
    groups: dict[tuple[str, int], list[bool]] = defaultdict(list)
    for source, label, hit in zip(sources, wanted, hits, strict=True):
        groups[source, int(label)].append(bool(hit))
    for (source, label), values in sorted(groups.items()):
        yield source, label, float(np.mean(values)), len(values)


def above(spans: Sequence[PiiSpan], threshold: float) -> list[Span]:
    """Return the spans from a confidence on, as `entities` compares them."""
    return [(s.start, s.end, s.label) for s in spans if s.confidence >= threshold]


def entities(pairs: list[tuple[list[Span], list[Span]]]) -> dict[str, Any]:
    """Return precision, recall, F1 over exact spans with type, F1 of overlaps, F1 per type."""
    per: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    near = 0
    for found, real in pairs:
        for span in found:
            per[span[2]][1] += 1
        for span in real:
            per[span[2]][2] += 1
            per[span[2]][0] += span in found
            near += any(f[2] == span[2] and f[0] < span[1] and f[1] > span[0] for f in found)
    hit, said, real_count = (sum(v[i] for v in per.values()) for i in range(3))
    return {
        "precision": round(hit / max(said, 1), 4),
        "recall": round(hit / max(real_count, 1), 4),
        "f1": round(2 * hit / max(said + real_count, 1), 4),
        "overlap_recall": round(near / max(real_count, 1), 4),
        "spans": real_count,
        "f1_by_type": {
            k: [round(2 * h / max(s + r, 1), 3), r] for k, (h, s, r) in sorted(per.items())
        },
    }


def similarity(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """Return mean cosine, correlations of pairwise similarities, and top-1 overlap."""
    upper = np.triu_indices(len(ours), 1)
    a, b = ours @ ours.T, theirs @ theirs.T
    near_a, near_b = (m - 2 * np.eye(len(m)) for m in (a, b))
    return {
        "cosine": round(float((ours * theirs).sum(1).mean()), 4),
        "pearson": round(float(np.corrcoef(a[upper], b[upper])[0, 1]), 4),
        "spearman": round(float(np.corrcoef(_ranks(a[upper]), _ranks(b[upper]))[0, 1]), 4),
        "same_nearest": round(float((near_a.argmax(1) == near_b.argmax(1)).mean()), 4),
    }


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values))


def brief(result: dict[str, Any]) -> str:
    """Return one line of a domain result."""
    keys = (
        "rows",
        "accuracy",
        "encoder_accuracy",
        "linear_accuracy",
        "macro_f1",
        "ece",
        "by_tokens",
        "at_threshold",
    )
    return ", ".join(f"{key} {result[key]}" for key in keys)
