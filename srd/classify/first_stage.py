"""The linear stage with its calibration: the answer that needs no encoder.

Why this file exists: the hash and the weights (linear.py) know neither thresholds nor the
encoder's label order; both stages of the cascade need one view of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from srd.classify.api import ModelError
from srd.classify.heads import Floats, softmax

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

from srd.classify.linear import LinearStage


class FirstStage:
    """Immutable; thread-safe. All results are in the order of `labels`."""

    def __init__(
        self,
        stage: LinearStage,
        labels: Sequence[str],
        *,
        temperature: float,
        confidence: float,
        max_chars: int | None = None,
    ) -> None:
        """Raises ModelError when the stage's labels are not those of the encoder."""
        if sorted(stage.labels) != sorted(labels):
            raise ModelError(
                f"the first stage's labels ({', '.join(stage.labels)}) are not the encoder's "
                f"({', '.join(labels)})."
            )
        self.labels = tuple(labels)
        self.confidence = confidence
        self.max_chars = max_chars
        self._stage = stage
        self._order = np.array([stage.labels.index(label) for label in labels], dtype=np.intp)
        self._temperature = temperature

    def __repr__(self) -> str:
        return f"<FirstStage {self._stage!r}, answers from {self.confidence:g} on>"

    @classmethod
    def load(
        cls,
        path: Path,
        labels: Sequence[str],
        *,
        temperature: float,
        confidence: float,
        max_chars: int | None = None,
    ) -> FirstStage:
        """Read an archive of linear.py; raises ModelError naming the file."""
        try:
            stage = LinearStage.load(path)
        except (OSError, KeyError, ValueError) as error:
            raise ModelError(f"{path}: not a readable first stage: {error}.") from error
        return cls(
            stage, labels, temperature=temperature, confidence=confidence, max_chars=max_chars
        )

    def logits(self, text: str) -> Floats:
        """Uncalibrated logits of what a window reads."""
        return self._stage.logits(text)[self._order]

    def answer(self, text: str) -> dict[str, float] | None:
        """Calibrated probabilities, or None when the text is long or the stage is not sure."""
        if self.max_chars is not None and len(text) > self.max_chars:
            return None
        probabilities = softmax(self.logits(text), self._temperature)
        if float(probabilities.max()) < self.confidence:
            return None
        return dict(zip(self.labels, probabilities.tolist(), strict=True))
