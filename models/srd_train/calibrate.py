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
    from collections.abc import Iterable
    from pathlib import Path

#: The linear stage's weight at each of DENSITIES.
Weights = tuple[float, float]

WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
#: Characters per word piece: below the first number a text counts as foreign, from the second
#: one on as English. Formulas and code lie between and below; English rows of dev lose
#: nothing by it.
DENSITIES = (2.4, 3.2)
FOREIGN_WEIGHTS = (0.4, 0.5, 0.6, 0.7, 0.8)
TEMPERATURES = np.round(np.arange(0.5, 2.51, 0.02), 2)
#: Share of prompts that the first stage may get wrong where the encoder was right: over all kinds
#: as `importance` weighs them (what the project allows a cascade to lose), and in any kind.
LOSS_ALLOWED = 0.003
LOSS_ALLOWED_ANY = 0.005
#: Lengths to choose from, up to which the first stage may answer. None fills the first window (64
#: tokens of six characters): the beginning of a longer prompt looks just like that.
MAX_CHARS = (192, 256, 320, 383)
#: Share of clean dev texts that the PII head may find something in.
CLEAN_HITS = 0.01
#: Up to the confidence of a rule's hit: beyond it the rules would fall silent.
PII_THRESHOLDS = tuple(round(0.4 + 0.05 * i, 2) for i in range(12))
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
    shares = {"mmlu-pro": 0.45, "own": 0.3, "public": 0.05, "long": 0.15, "foreign": 0.05}
    kinds = [_kind(row) for row in rows]
    found = np.array([shares[kind] / kinds.count(kind) for kind in kinds])
    return np.asarray(found / found.sum())


def _kind(row: Row) -> str:
    if row.lang != "English":
        return "foreign"
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


def run(source: Path, out: Path, log: Log) -> None:
    """Write manifest.json to `out`."""
    model = Model(out)
    manifest: dict[str, Any] = {
        "version": "0.3.0",
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
    if "guard" in model.manifest:
        manifest["guard"] = model.manifest["guard"]
    dev = {name: data.part(rows, "dev") for name, rows in data.tasks(source).items()}
    everyday = [row for row in dev["domain"] if _kind(row) == "own"]
    everyday += [row for row in dev["domain"] if row.source == "own-foreign"][::3]
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
    """Choose the mixing weights, a temperature per window, and when the first stage may answer."""
    foreign = Logits(model, [row for row in rows if _kind(row) == "foreign"])
    own = Logits(
        model,
        [
            *(row for row in rows if _kind(row) in ("mmlu-pro", "own")),
            *longer(rows),
            *[row for row in rows if _kind(row) == "public"][:350],
            *foreign.rows[::4],
        ],
    )
    base = own.best((w,) * 2 for w in WEIGHTS)
    log(f"  weight {base[1]}: {own.brief(base)}")
    weights = foreign.best((w, base[1]) for w in FOREIGN_WEIGHTS if w >= base[1])
    log(f"  weights {weights}: English {own.brief(weights)}, foreign {foreign.brief(weights)}")
    temperatures = {"512": own.temperature(weights)}
    # Beyond 128 tokens the windows differ on the long rows only, and too little to fit.
    temperatures["256"] = temperatures["512"]
    for window in (64, 128):
        temperatures[str(window)] = own.at(model, window).temperature(weights)
    linear = own.linear
    cold = best_temperature(linear, own.wanted, own.weight)
    first = first_rule(linear / cold, own.mixed(weights), own, log)
    points = [list(point) for point in zip(DENSITIES, weights, strict=True)]
    return {
        "combine": {"domain": {"by_density": points}},
        "calibration": {"domain": {"encoder": temperatures, "linear": cold}},
        "first_stage": {"file": "linear.npz", **first},
    }


class Logits:
    """Dev rows with what both stages make of them. `Weights` are those at DENSITIES."""

    def __init__(self, model: Model, rows: list[Row], window: int = 512) -> None:
        texts = [row.text for row in rows]
        self.rows = rows
        self.wanted = np.array([DOMAINS.index(row.domain or "") for row in rows])
        self.weight = importance(rows)
        self.encoder = model.domain_log(texts, window)
        self.linear = model.linear_log(texts, window)
        self.density = model.density(texts, window)

    def at(self, model: Model, window: int) -> Logits:
        """Return the same rows, read through another window."""
        return Logits(model, self.rows, window)

    def mixed(self, weights: Weights) -> np.ndarray:
        """Return the mixture's log scores at temperature 1."""
        share = np.interp(self.density, DENSITIES, weights)[:, None]
        return np.asarray((1 - share) * self.encoder + share * self.linear)

    def temperature(self, weights: Weights) -> float:
        """Return the temperature of the least loss."""
        return best_temperature(self.mixed(weights), self.wanted, self.weight)

    def loss(self, weights: Weights) -> float:
        """Return the loss at the best temperature."""
        mixed = self.mixed(weights)
        return nll(log_softmax(mixed / self.temperature(weights)), self.wanted, self.weight)

    def best(self, candidates: Iterable[Weights]) -> Weights:
        """Return the weights of the least loss."""
        return min(candidates, key=self.loss)

    def brief(self, weights: Weights) -> str:
        """Return accuracy and loss in a few words."""
        right = self.mixed(weights).argmax(1) == self.wanted
        return f"accuracy {(right * self.weight).sum():.4f} loss {self.loss(weights):.4f}"


def first_rule(linear: np.ndarray, mixed: np.ndarray, own: Logits, log: Log) -> dict[str, float]:
    """Return when answering alone costs little, and answers most: a confidence and a length."""
    sure = np.exp(log_softmax(linear)).max(1)
    # What the stage alone gets right is not set off: on few rows such luck hides what is lost.
    worse = (linear.argmax(1) != own.wanted) & (mixed.argmax(1) == own.wanted)
    lengths = np.array([len(row.text) for row in own.rows])
    kinds = np.array([_kind(row) for row in own.rows])
    best, most = {"confidence": 0.999, "max_chars": MAX_CHARS[0]}, 0.0
    for longest in MAX_CHARS:
        for confidence in np.round(np.arange(0.98, 0.5, -0.02), 2):
            answered = (sure >= confidence) & (lengths <= longest)
            lost = (answered & worse).astype(float)
            worst = max(float(lost[kinds == kind].mean()) for kind in set(kinds))
            if worst > LOSS_ALLOWED_ANY or float((lost * own.weight).sum()) > LOSS_ALLOWED:
                break
            share = float((answered * own.weight).sum())
            if share > most:
                most = share
                best = {"confidence": float(confidence), "max_chars": longest}
    log(f"  first stage {best} answers {most:.3f}")
    return best


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
    found = [model.pii(row.text) for row in rows]
    quiet = [max((span.confidence for span in model.pii(text)), default=0.0) for text in clean]
    chosen = 0.0
    for threshold in PII_THRESHOLDS:
        pairs = [
            (measures.above(spans, threshold), list(row.spans or ()))
            for spans, row in zip(found, rows, strict=True)
        ]
        hits = float(np.mean([value >= threshold for value in quiet]))
        log(f"  pii from {threshold}: F1 {measures.entities(pairs)['f1']}, clean hits {hits:.4f}")
        if not chosen and hits <= CLEAN_HITS:
            chosen = threshold
    return chosen or PII_THRESHOLDS[-1]
