"""Runs the shipped folder as serving does, for calibration and evaluation.

Why this file exists: what is measured must be what is shipped: the int8 graph, the int8 table, the
manifest's rules. It is written apart from srd/classify on purpose, so that the two can be compared.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from srd.classify.linear import LinearStage

from . import common

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CHARS_PER_TOKEN = 6
SPECIAL = 2


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return log probabilities along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def window_text(text: str, window: int) -> str:
    """Return what serving looks at for a window: six characters per token."""
    return text[: CHARS_PER_TOKEN * window]


class Graph:
    """One ONNX file and the tokenizer; a forward per text, outputs by name."""

    def __init__(self, path: Path, tokenizer: Path, threads: int = 1) -> None:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(
            str(path), settings, providers=["CPUExecutionProvider"]
        )
        self.tokenizer = Tokenizer.from_file(str(tokenizer))

    def encode(self, text: str, window: int) -> Any:
        """Return the tokenizer's encoding of at most `window` tokens, specials included."""
        self.tokenizer.enable_truncation(window)
        return self.tokenizer.encode(window_text(text, window))

    def run(self, ids: list[int], outputs: Sequence[str]) -> list[np.ndarray]:
        """Run one text; each output without its batch axis."""
        row = np.array([ids], dtype=np.int64)
        feeds = {"input_ids": row, "attention_mask": np.ones_like(row)}
        return [value[0] for value in self.session.run(list(outputs), feeds)]


class Model:
    """The folder `default/`: linear stage, graph, manifest."""

    def __init__(self, folder: Path, *, encoder: Path | None = None, threads: int = 1) -> None:
        self.folder = folder
        self.linear = LinearStage.load(folder / "linear.npz")
        self.graph = Graph(
            encoder or folder / "encoder.int8.onnx", folder / "tokenizer.json", threads
        )
        manifest = folder / "manifest.json"
        self.manifest: dict[str, Any] = (
            json.loads(manifest.read_text()) if manifest.exists() else {}
        )

    def linear_log(self, texts: Sequence[str], window: int | None = None) -> np.ndarray:
        """Return the linear stage's log probabilities at temperature 1."""
        cut = texts if window is None else [window_text(text, window) for text in texts]
        return log_softmax(np.stack([self.linear.logits(text) for text in cut]))

    def domain_log(self, texts: Sequence[str], window: int = 512) -> np.ndarray:
        """Return the encoder's log probabilities at temperature 1."""
        rows = [
            self.graph.run(self.graph.encode(t, window).ids, ["domain_logits"])[0] for t in texts
        ]
        return log_softmax(np.stack(rows))

    def mix(self, encoder: np.ndarray, linear: np.ndarray, window: int) -> np.ndarray:
        """Return calibrated probabilities by the manifest's rule."""
        weight = self.manifest["combine"]["domain"]["weight"]
        temperature = self.manifest["calibration"]["domain"]["encoder"][str(window)]
        return np.exp(log_softmax(((1 - weight) * encoder + weight * linear) / temperature))

    def first(self, linear: np.ndarray) -> np.ndarray:
        """Return the first stage's calibrated probabilities."""
        return np.exp(log_softmax(linear / self.manifest["calibration"]["domain"]["linear"]))

    def jailbreak(self, texts: Sequence[str], window: int = 512) -> np.ndarray:
        """Return the raw difference of the two logits; the largest over overlapping pieces."""
        return np.array([self._jailbreak(text, window) for text in texts])

    def _jailbreak(self, text: str, window: int) -> float:
        self.graph.tokenizer.no_truncation()
        ids = self.graph.tokenizer.encode(text).ids
        worst = -np.inf
        for piece in pieces(ids, window):
            (logits,) = self.graph.run(piece, ["jailbreak_logits"])
            worst = max(worst, float(logits[1] - logits[0]))
        return worst

    def risk(self, difference: np.ndarray) -> np.ndarray:
        """Return the calibrated jailbreak probability."""
        rule = self.manifest["calibration"]["jailbreak"]
        return 1 / (1 + np.exp(-(difference + rule["bias"]) / rule["temperature"]))

    def pii(self, text: str, window: int = 512) -> list[tuple[int, int, str, float]]:
        """Return spans above the manifest's threshold."""
        encoding = self.graph.encode(text, window)
        (logits,) = self.graph.run(encoding.ids, ["pii_logits"])
        threshold = self.manifest.get("thresholds", {}).get("pii", 0.5)
        return [
            s
            for s in spans(text, np.exp(log_softmax(logits)), encoding.offsets)
            if s[3] >= threshold
        ]

    def embed(self, texts: Sequence[str], window: int = 512) -> np.ndarray:
        """Return normalised embeddings."""
        return np.stack(
            [self.graph.run(self.graph.encode(t, window).ids, ["embedding"])[0] for t in texts]
        )


def pieces(ids: list[int], window: int, overlap: int = 50) -> list[list[int]]:
    """Cut the ids of a long text into overlapping pieces with their own special tokens."""
    first, *body, last = ids
    room = window - SPECIAL
    if len(body) <= room:
        return [ids]
    step = room - overlap
    starts = range(0, max(len(body) - overlap, 1), step)
    return [[first, *body[start : start + room], last] for start in starts]


def spans(
    text: str, probabilities: np.ndarray, offsets: list[tuple[int, int]]
) -> list[tuple[int, int, str, float]]:
    """Merge BIO labels to character spans; the confidence is the mean over the tokens."""
    found: list[list[Any]] = []
    previous_end = -1
    for row, (start, end) in zip(probabilities, offsets, strict=True):
        if end <= start:
            continue
        # A piece's type is decided over B and I together: which of the two it is matters less.
        kinds = row[1:].reshape(-1, 2).sum(axis=1)
        best = int(kinds.argmax())
        if row[0] >= kinds[best]:
            previous_end = -1
            continue
        label, confidence = common.PII_TYPES[best], float(kinds[best])
        inside = start == previous_end
        begins = row[1 + 2 * best] >= row[2 + 2 * best] and not inside
        gap = text[previous_end:start] if previous_end >= 0 else None
        if found and gap is not None and found[-1][2] == label and (inside or not begins):
            found[-1][1] = end
            found[-1][3].append(confidence)
        elif found and inside:
            found[-1][1] = end  # the rest of a word belongs to its first piece
            found[-1][3].append(confidence)
        else:
            found.append([start, end, label, [confidence]])
        previous_end = end
    return [(s, e, label, float(np.mean(c))) for s, e, label, c in found]
