"""Runs the shipped folder as serving does, for calibration and evaluation.

Why this file exists: what is measured must be what is shipped: the int8 graph, the int8 table, the
manifest's rules. The domain's arithmetic is written apart from srd/classify on purpose, so that the
two can be compared; pieces, density and spans are serving's own code.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from srd.classify import pii_rules
from srd.classify.encoder import OVERLAP_TOKENS, PIECE_TOKENS, density, pieces
from srd.classify.linear import LinearStage
from srd.classify.spans import BioLabels, merged

from .common import PII

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from srd.classify.api import PiiSpan

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
        self._bio = BioLabels(PII)
        manifest = folder / "manifest.json"
        self.manifest: dict[str, Any] = (
            json.loads(manifest.read_text()) if manifest.exists() else {}
        )

    def linear_log(self, texts: Sequence[str], window: int = 512) -> np.ndarray:
        """Return the linear stage's log probabilities at temperature 1."""
        cut = [window_text(text, window) for text in texts]
        return log_softmax(np.stack([self.linear.logits(text) for text in cut]))

    def domain_log(self, texts: Sequence[str], window: int = 512) -> np.ndarray:
        """Return the encoder's log probabilities at temperature 1."""
        rows = [
            self.graph.run(self.graph.encode(t, window).ids, ["domain_logits"])[0] for t in texts
        ]
        return log_softmax(np.stack(rows))

    def density(self, texts: Sequence[str], window: int = 512) -> np.ndarray:
        """Return characters per word piece of what the window may read."""
        self.graph.tokenizer.no_truncation()
        cut = [window_text(text, window) for text in texts]
        unknown = self.graph.tokenizer.token_to_id("[UNK]")
        ids = [self.graph.tokenizer.encode(text).ids[1:-1] for text in cut]
        return np.array([density(t, i, unknown) for t, i in zip(cut, ids, strict=True)])

    def mix(
        self, encoder: np.ndarray, linear: np.ndarray, density: np.ndarray, window: int
    ) -> np.ndarray:
        """Return calibrated probabilities by the manifest's rule."""
        places, weights = zip(*self.manifest["combine"]["domain"]["by_density"], strict=True)
        weight = np.interp(density, places, weights)[:, None]
        temperature = self.manifest["calibration"]["domain"]["encoder"][str(window)]
        return np.exp(log_softmax(((1 - weight) * encoder + weight * linear) / temperature))

    def first(self, linear: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """Return the first stage's calibrated probabilities; zeros where it may not answer."""
        probabilities = np.exp(
            log_softmax(linear / self.manifest["calibration"]["domain"]["linear"])
        )
        longest = self.manifest["first_stage"].get("max_chars") or float("inf")
        return np.where(np.array([[len(t) <= longest] for t in texts]), probabilities, 0.0)

    def jailbreak(self, texts: Sequence[str], window: int = 512) -> np.ndarray:
        """Return the raw difference of the two logits; the largest over serving's pieces."""
        return np.array([self._jailbreak(text, window) for text in texts])

    def _jailbreak(self, text: str, window: int) -> float:
        self.graph.tokenizer.no_truncation()
        ids = self.graph.tokenizer.encode(text).ids
        worst = -np.inf
        first, *body, last = ids
        size = len(body) if len(body) <= window - SPECIAL else PIECE_TOKENS
        for start, end in pieces(len(body), size, OVERLAP_TOKENS):
            piece = [first, *body[start:end], last]
            (logits,) = self.graph.run(piece, ["jailbreak_logits"])
            worst = max(worst, float(logits[1] - logits[0]))
        return worst

    def risk(self, difference: np.ndarray) -> np.ndarray:
        """Return the calibrated jailbreak probability."""
        rule = self.manifest["calibration"]["jailbreak"]
        return 1 / (1 + np.exp(-(difference + rule["bias"]) / rule["temperature"]))

    def pii(self, text: str, *, rules: bool = True, window: int = 512) -> list[PiiSpan]:
        """Return spans of any confidence: of the head alone, or with the rules as serving does.

        Beyond the window nothing is read; serving goes on in pieces.
        """
        encoding = self.graph.encode(text, window)
        (logits,) = self.graph.run(encoding.ids, ["pii_logits"])
        body = slice(1, -1)  # the special tokens
        found = self._bio.by_word(
            np.exp(log_softmax(logits[body])), encoding.offsets[body], encoding.word_ids[body]
        )
        return list(merged(pii_rules.find(text), found)) if rules else found

    def embed(self, texts: Sequence[str], window: int = 512) -> np.ndarray:
        """Return normalised embeddings."""
        return np.stack(
            [self.graph.run(self.graph.encode(t, window).ids, ["embedding"])[0] for t in texts]
        )
