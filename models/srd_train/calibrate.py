"""Decides on dev what the manifest says: mixing weight, temperatures, thresholds.

Why this file exists: a confidence of .9 must be right nine times in ten, and a threshold chosen on
the rows it is reported on means nothing. Only the dev split is read here.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import numpy as np

from . import augment, data, measures
from .common import DOMAINS, JAILBREAK, PII, SEED, Log
from .data import Row
from .runtime import Model, log_softmax

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
TEMPERATURES = np.round(np.arange(0.5, 2.51, 0.02), 2)
#: By kind of prompt: share that the first stage may get wrong where the encoder was right, net:
#: what the project allows a cascade to lose.
LOSS_ALLOWED = {"mmlu-pro": 0.003, "own": 0.003, "long": 0.003}
#: Share of clean dev texts that the PII head may find something in.
CLEAN_HITS = 0.02
PII_THRESHOLDS = tuple(round(0.4 + 0.05 * i, 2) for i in range(12))
#: Where the two goals cannot both be had, the middle: users set their own threshold per rule.
PII_FALLBACK = 0.8
#: Share of benign dev prompts that may score above the jailbreak threshold.
FALSE_ALARMS = 0.01


def nll(log_probabilities: np.ndarray, wanted: np.ndarray, weight: np.ndarray) -> float:
    """Return the weighted mean negative log likelihood."""
    return float(-(log_probabilities[np.arange(len(wanted)), wanted] * weight).sum() / weight.sum())


def best_temperature(logits: np.ndarray, wanted: np.ndarray, weight: np.ndarray) -> float:
    """Return the temperature of the least loss."""
    losses = [nll(log_softmax(logits / t), wanted, weight) for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def importance(rows: list[Row]) -> np.ndarray:
    """Weigh dev rows by kind: what traffic looks like counts most."""
    shares = {"mmlu-pro": 0.45, "own": 0.3, "public": 0.1, "long": 0.15}
    kinds = [_kind(row) for row in rows]
    return np.array([shares[kind] / kinds.count(kind) for kind in kinds])


def _kind(row: Row) -> str:
    if row.source.startswith("own"):
        return "own"
    return row.source if row.source in ("mmlu-pro", "long") else "public"


def longer(rows: list[Row]) -> list[Row]:
    """Return half of the MMLU-Pro and own dev rows inside system prompts and documents."""
    rng = random.Random(SEED + 8)
    chosen = [row for row in rows if _kind(row) in ("mmlu-pro", "own")][::2]
    english = [row for row in rows if row.lang == "English"]
    return [
        Row(augment.surround(row, english, rng, whole=True), "long", row.domain) for row in chosen
    ]


def run(source: Path, work: Path, out: Path, log: Log) -> None:
    """Write manifest.json to `out`."""
    model = Model(out)
    manifest: dict[str, Any] = {
        "version": "0.2.0",
        "labels": {"domain": list(DOMAINS), "jailbreak": list(JAILBREAK), "pii": list(PII)},
        "encoder": {
            "file": "encoder.int8.onnx",
            "inputs": ["input_ids", "attention_mask"],
            "outputs": {
                "domain": "domain_logits",
                "jailbreak": "jailbreak_logits",
                "pii": "pii_logits",
                "embedding": "embedding",
            },
            "max_tokens": 512,
        },
    }
    dev = {name: data.part(rows, "dev") for name, rows in data.tasks(source).items()}
    everyday = [row for row in dev["domain"] if row.source.startswith("own")]
    manifest |= domain(model, dev["domain"], log)
    benign = [Row(row.text, "everyday", jailbreak=0) for row in everyday]
    rule, threshold = jailbreak(model, dev["jailbreak"] + benign, log)
    manifest["calibration"]["jailbreak"] = rule
    questions = [row for row in dev["domain"] if row.source == "mmlu-pro"]
    clean = [row.text for row in everyday + questions[:200]]
    manifest["thresholds"] = {"jailbreak": threshold, "pii": pii(model, dev["pii"], clean, log)}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    log(f"manifest: {json.dumps({k: v for k, v in manifest.items() if k != 'labels'})}")


def domain(model: Model, rows: list[Row], log: Log) -> dict[str, Any]:
    """Choose the mixing weight, a temperature per window, and when the first stage may answer."""
    rows = [
        *(row for row in rows if _kind(row) != "public"),
        *longer(rows),
        *[row for row in rows if _kind(row) == "public" and row.lang == "English"][:350],
        *[row for row in rows if row.lang != "English"][:100],
    ]
    texts = [row.text for row in rows]
    wanted = np.array([DOMAINS.index(row.domain or "") for row in rows])
    weight = importance(rows)
    encoder = model.domain_log(texts)
    linear = model.linear_log(texts, 512)
    scores = {}
    for w in WEIGHTS:
        mixed = (1 - w) * encoder + w * linear
        t = best_temperature(mixed, wanted, weight)
        accuracy = float(((mixed.argmax(1) == wanted) * weight).sum())
        scores[w] = nll(log_softmax(mixed / t), wanted, weight)
        log(f"  weight {w}: accuracy {accuracy:.4f} loss {scores[w]:.4f} T {t}")
    w = min(scores, key=lambda k: scores[k])
    temperatures = {"512": best_temperature((1 - w) * encoder + w * linear, wanted, weight)}
    # Beyond 128 tokens the windows differ on the long rows only, and too little to fit.
    temperatures["256"] = temperatures["512"]
    for window in (64, 128):
        mixed = (1 - w) * model.domain_log(texts, window) + w * model.linear_log(texts, window)
        temperatures[str(window)] = best_temperature(mixed, wanted, weight)
    mixed = (1 - w) * encoder + w * linear
    cold = best_temperature(linear, wanted, weight)
    kinds = np.array([_kind(row) for row in rows])
    confidence = first_confidence(linear / cold, mixed, wanted, kinds, log)
    return {
        "combine": {"domain": {"weight": w}},
        "calibration": {"domain": {"encoder": temperatures, "linear": cold}},
        "first_stage": {"file": "linear.npz", "confidence": confidence},
    }


def first_confidence(
    linear: np.ndarray, mixed: np.ndarray, wanted: np.ndarray, kinds: np.ndarray, log: Log
) -> float:
    """Return the lowest confidence above which answering alone costs little on every kind."""
    sure = np.exp(log_softmax(linear)).max(1)
    gain = (linear.argmax(1) == wanted).astype(int) - (mixed.argmax(1) == wanted)
    chosen, fine = 0.999, True
    for confidence in np.round(np.arange(0.98, 0.4, -0.02), 2):
        answered = sure >= confidence
        places = {kind: kinds == kind for kind in LOSS_ALLOWED}
        lost = {kind: float(-np.where(answered, gain, 0)[p].mean()) for kind, p in places.items()}
        fine = fine and all(value <= LOSS_ALLOWED[kind] + 1e-9 for kind, value in lost.items())
        chosen = float(confidence) if fine else chosen
        shown = ", ".join(
            f"{kind} {answered[p].mean():.3f} for {lost[kind]:.4f}" for kind, p in places.items()
        )
        log(f"  first stage from {confidence}: {shown}")
    return chosen


def jailbreak(model: Model, rows: list[Row], log: Log) -> tuple[dict[str, float], float]:
    """Fit temperature and bias by logistic regression and choose the threshold on benign rows."""
    from sklearn.linear_model import LogisticRegression

    difference = model.jailbreak([row.text for row in rows])
    wanted = np.array([row.jailbreak for row in rows])
    fitted = LogisticRegression(C=10.0, random_state=SEED).fit(difference[:, None], wanted)
    slope = max(float(fitted.coef_[0, 0]), 1e-3)
    rule = {
        "temperature": round(1 / slope, 4),
        "bias": round(float(fitted.intercept_[0]) / slope, 4),
    }
    risk = 1 / (1 + np.exp(-(difference + rule["bias"]) / rule["temperature"]))
    threshold = float(np.quantile(risk[wanted == 0], 1 - FALSE_ALARMS))
    recall = float((risk[wanted == 1] >= threshold).mean())
    log(f"  jailbreak {rule}, threshold {threshold:.3f}, recall {recall:.3f}")
    return rule, round(min(max(threshold, 0.5), 0.95), 3)


def pii(model: Model, rows: list[Row], clean: list[str], log: Log) -> float:
    """Choose the lowest threshold that leaves clean texts alone; F1 is printed beside it."""
    model.manifest["thresholds"] = {"pii": 0.0}
    found = [model.pii(row.text) for row in rows]
    quiet = [max((span[3] for span in model.pii(text)), default=0.0) for text in clean]
    chosen = 0.0
    for threshold in PII_THRESHOLDS:
        pairs = [
            ([span[:3] for span in spans if span[3] >= threshold], list(row.spans or ()))
            for spans, row in zip(found, rows, strict=True)
        ]
        hits = float(np.mean([value >= threshold for value in quiet]))
        log(f"  pii from {threshold}: F1 {measures.entities(pairs)['f1']}, clean hits {hits:.4f}")
        if not chosen and hits <= CLEAN_HITS:
            chosen = threshold
    return chosen or PII_FALLBACK
