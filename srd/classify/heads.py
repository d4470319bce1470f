"""From logits to answers: calibrated probabilities, risks, embeddings.

Why this file exists: the arithmetic after the graph is where training, serving and upstream's
models must agree. Pure numpy; it must not know sessions, texts or files.
"""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float32]


def log_softmax(logits: npt.NDArray[Any]) -> Floats:
    """Log-probabilities over the last axis, in float32 whatever the graph's precision."""
    values = np.asarray(logits, dtype=np.float32)
    shifted = values - values.max(axis=-1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def softmax(logits: npt.NDArray[Any], temperature: float = 1.0) -> Floats:
    """Probabilities over the last axis."""
    result: Floats = np.exp(log_softmax(np.asarray(logits, dtype=np.float32) / temperature))
    return result


def mixture(
    encoder: npt.NDArray[Any], linear: npt.NDArray[Any] | None, *, weight: float, temperature: float
) -> Floats:
    """Encoder and linear logits averaged in log space, then calibrated; [labels] -> [labels]."""
    if linear is None or weight == 0.0:
        return softmax(encoder, temperature)
    mixed = (1.0 - weight) * log_softmax(encoder) + weight * log_softmax(linear)
    return softmax(mixed, temperature)


def risk(
    logits: npt.NDArray[Any], positive: Sequence[int], *, temperature: float, bias: float
) -> float:
    """The probability mass of the positive labels (as upstream), after calibration."""
    shifted = np.array(logits, dtype=np.float32)
    shifted[list(positive)] += bias
    return float(softmax(shifted, temperature)[list(positive)].sum())


def sigmoid(value: float) -> float:
    """The probability of log-odds; saturates."""
    return 1.0 / (1.0 + math.exp(-max(min(value, 60.0), -60.0)))


def log_odds(probability: float) -> float:
    """The inverse of `sigmoid`, of finite size."""
    kept = min(max(probability, 1e-7), 1.0 - 1e-7)
    return math.log(kept / (1.0 - kept))


def pool(states: npt.NDArray[Any], mask: npt.NDArray[Any]) -> Floats:
    """Mean of the token states under the mask: [batch, tokens, width] -> [batch, width]."""
    weights = np.asarray(mask, dtype=np.float32)[:, :, None]
    totals = (np.asarray(states, dtype=np.float32) * weights).sum(axis=1)
    result: Floats = totals / np.maximum(weights.sum(axis=1), 1e-9)
    return result


def normalised(vector: npt.NDArray[Any], dimensions: int | None = None) -> array[float]:
    """The first `dimensions` values at length one, four bytes each; a zero vector stays zero."""
    values = np.asarray(vector, dtype=np.float32)[:dimensions]
    length = float(np.linalg.norm(values))
    return array("f", (values / length if length > 0.0 else values).tobytes())
