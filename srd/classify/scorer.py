"""Asks to scores: which encoder answers which head, and what its logits mean.

Why this file exists: this is the whole computation of a forward, on the calling thread, without
queue or cache; evaluation and tests call it as serving does. It must not know threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from srd.classify.api import Ask, ClassifierUnavailable, PiiSpan, Scores
from srd.classify.heads import mixture, normalised, risk, softmax
from srd.classify.manifest import Combine, DomainCalibration, RiskCalibration
from srd.classify.spans import BioLabels, merged

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Sequence

    from srd.classify.encoder import Encoder, Plan, Row
    from srd.classify.first_stage import FirstStage
    from srd.classify.ort import Array

Outputs = list[dict[str, "Array"]]
_NO_DOMAIN_CALIBRATION = DomainCalibration()
_NO_COMBINE = Combine()
_NO_RISK_CALIBRATION = RiskCalibration()


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReader:
    """Domain logits to probabilities; `combine` mixes the first stage in (models/README.md)."""

    labels: tuple[str, ...]
    calibration: DomainCalibration = _NO_DOMAIN_CALIBRATION
    first_stage: FirstStage | None = None
    combine: Combine = _NO_COMBINE

    def read(self, ask: Ask, logits: Array, density: float) -> dict[str, float]:
        linear, weight = None, self.combine.at(density)
        if self.first_stage is not None and weight:
            linear = self.first_stage.logits(ask.text, ask.window)
        temperature = self.calibration.temperature(ask.window)
        values = mixture(logits, linear, weight=weight, temperature=temperature)
        return dict(zip(self.labels, values.tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class JailbreakReader:
    """Sequence logits to the risk of the worst piece."""

    positive: tuple[int, ...]
    calibration: RiskCalibration = _NO_RISK_CALIBRATION

    def read(self, pieces: Sequence[Array]) -> float:
        calibration = self.calibration
        return max(
            risk(
                logits,
                self.positive,
                temperature=calibration.temperature,
                bias=calibration.bias,
            )
            for logits in pieces
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PiiReader:
    """Token logits to spans; `labels` None: the rules alone answer."""

    labels: BioLabels | None = None
    whole_words: bool = True
    rules: Callable[[str], list[PiiSpan]] | None = None

    def read(self, ask: Ask, plan: Plan | None, logits: Array | None) -> tuple[PiiSpan, ...]:
        found = self.rules(ask.text) if self.rules is not None else []
        return merged(found, self._spans(plan, logits))

    def _spans(self, plan: Plan | None, logits: Array | None) -> list[PiiSpan]:
        if self.labels is None or plan is None or plan.full is None or logits is None:
            return []
        text, probabilities = plan.full, softmax(logits)
        if self.whole_words:
            return self.labels.by_word(probabilities, text.offsets, text.words)
        return self.labels.by_token(probabilities, text.offsets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """What the answers of each head mean. A head without a reader cannot be asked for."""

    domain: DomainReader | None = None
    jailbreak: JailbreakReader | None = None
    pii: PiiReader | None = None
    embedding_dimensions: int | None = None


class Scorer:
    """Answers asks on the calling thread. Thread-safe.

    `max_rows` > 1 pads rows of similar length into one batch; 1 runs each alone, which is the
    fastest on a CPU.
    """

    def __init__(self, encoders: Sequence[Encoder], readers: Readers, *, max_rows: int = 1) -> None:
        self.encoders = tuple(encoders)
        self.readers = readers
        self.max_rows = max_rows
        self.heads = frozenset(head for encoder in encoders for head in encoder.heads) | (
            {"pii"} if readers.pii is not None else set()
        )

    def __repr__(self) -> str:
        return f"<Scorer {', '.join(sorted(self.heads))} by {len(self.encoders)} encoders>"

    def score(self, asks: Sequence[Ask]) -> list[Scores]:
        """One Scores per ask. Raises ClassifierUnavailable for a head that is not loaded."""
        for ask in asks:
            if missing := ask.heads - self.heads:
                raise ClassifierUnavailable(f"not loaded: {', '.join(sorted(missing))}")
        parts: list[list[tuple[Encoder, Plan, Outputs]]] = [[] for _ in asks]
        for encoder in self.encoders:
            plans = [encoder.plan(ask) for ask in asks]
            rows = [row for plan in plans if plan is not None for row in plan.rows]
            outputs = iter(self._forward(encoder, rows))
            for part, plan in zip(parts, plans, strict=True):
                if plan is not None:
                    part.append((encoder, plan, [next(outputs) for _ in plan.rows]))
        return [self._read(ask, part) for ask, part in zip(asks, parts, strict=True)]

    def _forward(self, encoder: Encoder, rows: Sequence[Row]) -> Outputs:
        if self.max_rows == 1:
            return [encoder.forward([row])[0] for row in rows]
        results: Outputs = [{} for _ in rows]
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        for start in range(0, len(order), self.max_rows):
            batch = order[start : start + self.max_rows]
            for index, output in zip(
                batch, encoder.forward([rows[index] for index in batch]), strict=True
            ):
                results[index] = output
        return results

    def _read(self, ask: Ask, parts: Sequence[tuple[Encoder, Plan, Outputs]]) -> Scores:
        values: dict[str, Any] = {}
        tokens, truncated = 0, False
        for encoder, plan, outputs in parts:
            values |= self._answers(ask, encoder, plan, outputs)
            tokens = max(tokens, max(row.end for row in plan.rows))
            truncated = truncated or plan.truncated
        if "pii" in ask.heads and "pii" not in values and self.readers.pii is not None:
            values["pii"] = self.readers.pii.read(ask, None, None)
        return Scores(**values, tokens=tokens, window=ask.window, truncated=truncated)

    def _answers(
        self, ask: Ask, encoder: Encoder, plan: Plan, outputs: Outputs
    ) -> dict[str, object]:
        readers = self.readers
        found: dict[str, object] = {}
        for head in ask.heads & encoder.heads.keys():
            logits = [output[head] for output in outputs if head in output]
            if head == "domain" and readers.domain is not None:
                found[head] = readers.domain.read(ask, logits[0], plan.density)
            elif head == "jailbreak" and readers.jailbreak is not None:
                found[head] = readers.jailbreak.read(logits)
            elif head == "pii" and readers.pii is not None:
                found[head] = readers.pii.read(ask, plan, encoder.stitched(plan, outputs, head))
            elif head == "embedding":
                found[head] = self._embedding(logits[0])
        return found

    def _embedding(self, vector: Array) -> array[float]:
        return normalised(vector, self.readers.embedding_dimensions)
