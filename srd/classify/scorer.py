"""Asks to scores: which encoder answers which head, and what its logits mean.

Why this file exists: this is the whole computation of a forward, on the calling thread, without
queue or cache; evaluation and tests call it as serving does. It must not know threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srd.classify.api import TURN_WINDOW, ClassifierUnavailable, PiiSpan, Scores, SegmentScores
from srd.classify.encoder import CONTEXT, FULL_HEADS, PREFIX_HEADS, Row, stitched
from srd.classify.heads import log_odds, mixture, normalised, risk, sigmoid, softmax
from srd.classify.inspection import Inspector
from srd.classify.manifest import Combine, DomainCalibration, GuardEntry, RiskCalibration
from srd.classify.spans import BioLabels, merged

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Mapping, Sequence

    from srd.classify.api import Ask
    from srd.classify.encoder import Beginning, Encoder
    from srd.classify.first_stage import FirstStage
    from srd.classify.guard import Guard
    from srd.classify.inspection import Inspected, Stretch
    from srd.classify.ort import Array
    from srd.classify.tokens import Encoded

Outputs = dict[tuple[int, ...], dict[str, "Array"]]
_DOMAIN = frozenset({"domain"})
_NO_DOMAIN_CALIBRATION = DomainCalibration()
_NO_COMBINE = Combine()
_NO_RISK_CALIBRATION = RiskCalibration()
_INSPECTOR = Inspector()


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReader:
    """Domain logits to probabilities; `combine` mixes the first stage in (models/README.md)."""

    labels: tuple[str, ...]
    calibration: DomainCalibration = _NO_DOMAIN_CALIBRATION
    first_stage: FirstStage | None = None
    combine: Combine = _NO_COMBINE

    def read(self, beginning: Beginning, logits: Array, window: int) -> dict[str, float]:
        """Probabilities of all labels for what a window read."""
        linear, weight = None, self.combine.at(beginning.density)
        if self.first_stage is not None and weight:
            linear = self.first_stage.logits(beginning.text)
        temperature = self.calibration.temperature(window)
        values = mixture(logits, linear, weight=weight, temperature=temperature)
        return dict(zip(self.labels, values.tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class JailbreakReader:
    """Sequence logits to the risk of the worst piece; `guard` judges windows of longer texts with
    the encoder, by the rules of `entry`."""

    positive: tuple[int, ...]
    calibration: RiskCalibration = _NO_RISK_CALIBRATION
    guard: Guard | None = None
    entry: GuardEntry | None = None

    def read(
        self,
        pieces: Sequence[tuple[Mapping[str, Array], float | None]],
        unread: float | None = None,
        windows: int = 1,
    ) -> float:
        """The highest risk of outputs with the guard's suspicion (None: there is no guard), and of
        the guard's suspicion of what was not read; 0 where there is neither. `windows`: how many
        the text has."""
        risks = [self._risk(output, suspicion, windows) for output, suspicion in pieces]
        if unread is not None and self.entry is not None:
            alone = sigmoid(unread)
            risks.append(alone if unread >= self.entry.certain else min(alone, self.entry.ceiling))
        return max(risks, default=0.0)

    def _risk(self, output: Mapping[str, Array], suspicion: float | None, windows: int) -> float:
        calibration = self.calibration
        alone = risk(
            output["jailbreak"],
            self.positive,
            temperature=calibration.temperature,
            bias=calibration.bias,
        )
        if suspicion is None or self.guard is None or self.entry is None:
            return alone
        if windows == 1:  # as long as what the encoder has learned
            trusted = alone if suspicion >= self.entry.least else min(alone, self.entry.ceiling)
            return max(trusted, sigmoid(suspicion))
        together = self.guard.judged(log_odds(alone), suspicion, output.get(CONTEXT))
        cautious = sigmoid(together - self.entry.caution * math.log10(max(windows, 1)))
        return max(alone, cautious) if suspicion >= self.entry.sure else cautious


@dataclass(frozen=True, slots=True, kw_only=True)
class PiiReader:
    """Token logits to spans; `labels` None: the rules alone answer."""

    labels: BioLabels | None = None
    whole_words: bool = True
    rules: Callable[[str], list[PiiSpan]] | None = None

    def read(self, text: str, parts: Sequence[tuple[Encoded, Array]]) -> tuple[PiiSpan, ...]:
        """Spans of `text`: by the rules from all of it, by the model from the encoded parts."""
        found = self.rules(text) if self.rules is not None else []
        return merged(found, [span for part in parts for span in self._spans(*part)])

    def _spans(self, encoded: Encoded, logits: Array) -> list[PiiSpan]:
        if self.labels is None:
            return []
        probabilities = softmax(logits)
        if self.whole_words:
            return self.labels.by_word(probabilities, encoded.offsets, encoded.words)
        return self.labels.by_token(probabilities, encoded.offsets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """What the answers of each head mean. A head without a reader cannot be asked for."""

    domain: DomainReader | None = None
    jailbreak: JailbreakReader | None = None
    pii: PiiReader | None = None
    embedding_dimensions: int | None = None


@dataclass(slots=True)
class _Part:
    """What one encoder reads of one ask."""

    encoder: Encoder
    beginning: Beginning | None = None
    turns: list[Beginning] = field(default_factory=list)
    inspected: list[Inspected] = field(default_factory=list)

    def rows(self, heads: frozenset[str]) -> list[Row]:
        """Every row of it; equal ones may repeat."""
        heads &= self.encoder.heads.keys()
        rows = [Row(turn.ids, _DOMAIN) for turn in self.turns]
        if self.beginning is not None:
            rows.append(Row(self.beginning.ids, heads & PREFIX_HEADS))
        for inspected in self.inspected:
            for head, stretches in inspected.stretches.items():
                rows += [
                    Row(ids, self._heads(head, stretch))
                    for stretch in stretches
                    for _, ids in stretch.rows()
                ]
        return rows

    def _heads(self, head: str, stretch: Stretch) -> frozenset[str]:
        """The guard judges a suspected window by its embedding too."""
        judged = stretch.suspicion is not None and CONTEXT in self.encoder.heads
        return frozenset({head, CONTEXT} if judged else {head})


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and what it took. `final`, for each inspected text: its part of the answer does
    not depend on what else was asked."""

    scores: Scores
    inspection_tokens: int = 0
    windows: int = 0
    final: tuple[bool, ...] = ()


class Scorer:
    """Answers asks on the calling thread. Thread-safe.

    `max_rows` > 1 pads rows of similar length into one batch; 1 runs each alone, which is the
    fastest on a CPU. Rows of equal tokens run once, whoever wants them.
    """

    def __init__(
        self,
        encoders: Sequence[Encoder],
        readers: Readers,
        *,
        max_rows: int = 1,
        inspector: Inspector = _INSPECTOR,
    ) -> None:
        self.encoders = tuple(encoders)
        self.readers = readers
        self.max_rows = max_rows
        self.inspector = inspector
        known = {head for encoder in encoders for head in encoder.heads} - {CONTEXT}
        self.heads = frozenset(known | ({"pii"} if readers.pii is not None else set()))

    def __repr__(self) -> str:
        return f"<Scorer {', '.join(sorted(self.heads))} by {len(self.encoders)} encoders>"

    def score(self, asks: Sequence[Ask]) -> list[Scores]:
        """One Scores per ask. Raises ClassifierUnavailable for a head that is not loaded."""
        return [answered.scores for answered in self.answer(asks)]

    def answer(self, asks: Sequence[Ask]) -> list[Answered]:
        """`score`, and what each answer took."""
        for ask in asks:
            wanted = ask.heads | (_DOMAIN if ask.turns else frozenset())
            if missing := wanted - self.heads:
                raise ClassifierUnavailable(f"not loaded: {', '.join(sorted(missing))}")
        parts: list[list[tuple[_Part, Outputs]]] = [[] for _ in asks]
        for encoder in self.encoders:
            planned = [self._plan(encoder, ask) for ask in asks]
            wanted_rows = [
                row for ask, part in zip(asks, planned, strict=True) for row in part.rows(ask.heads)
            ]
            outputs = self._forward(encoder, wanted_rows)
            for ready, part in zip(parts, planned, strict=True):
                ready.append((part, outputs))
        return [self._read(ask, part) for ask, part in zip(asks, parts, strict=True)]

    def _plan(self, encoder: Encoder, ask: Ask) -> _Part:
        part, heads = _Part(encoder), ask.heads & encoder.heads.keys()
        if heads & PREFIX_HEADS:
            part.beginning = encoder.beginning(ask.text, ask.window)
        if "domain" in encoder.heads:
            part.turns = [encoder.beginning(turn, TURN_WINDOW) for turn in ask.turns]
        if full := heads & FULL_HEADS:
            part.inspected = self.inspector.inspect(encoder, inspected_texts(ask), full)
        return part

    def _forward(self, encoder: Encoder, rows: Sequence[Row]) -> Outputs:
        heads: dict[tuple[int, ...], frozenset[str]] = {}
        for row in rows:
            heads[row.ids] = heads.get(row.ids, frozenset()) | row.heads
        unique = sorted((Row(ids, names) for ids, names in heads.items()), key=len)
        results: Outputs = {}
        for start in range(0, len(unique), self.max_rows):
            batch = unique[start : start + self.max_rows]
            for row, output in zip(batch, encoder.forward(batch), strict=True):
                results[row.ids] = output
        return results

    def _read(self, ask: Ask, parts: Sequence[tuple[_Part, Outputs]]) -> Answered:
        values: dict[str, Any] = {}
        read, spent, windows = 0, 0, 0
        for part, outputs in parts:
            if part.beginning is not None:
                values |= self._beginning(ask, part, outputs[part.beginning.ids])
                read = max(read, len(part.beginning.ids))
            if part.turns and self.readers.domain is not None:
                values["turns"] = tuple(
                    self.readers.domain.read(turn, outputs[turn.ids]["domain"], TURN_WINDOW)
                    for turn in part.turns
                )
            spent += sum(inspected.tokens for inspected in part.inspected)
            windows += sum(inspected.windows for inspected in part.inspected)
        if ask.heads & FULL_HEADS:
            segments = self._segments(ask, parts)
            values["truncated"] = any(segment.unread for segment in segments)
            if ask.segments:
                values["segments"] = segments
            else:
                values |= {"jailbreak": segments[0].jailbreak, "pii": segments[0].pii}
        scores = Scores(**values, tokens=max(read, spent), window=ask.window)
        views = [part.inspected for part, _ in parts if part.inspected]
        final = tuple(all(one.final for one in views) for views in zip(*views, strict=True))
        return Answered(scores, spent, windows, final)

    def _beginning(self, ask: Ask, part: _Part, output: Mapping[str, Array]) -> dict[str, object]:
        found: dict[str, object] = {}
        heads, readers = ask.heads & part.encoder.heads.keys(), self.readers
        if "domain" in heads and readers.domain is not None and part.beginning is not None:
            found["domain"] = readers.domain.read(part.beginning, output["domain"], ask.window)
        if "embedding" in heads:
            found["embedding"] = self._embedding(output["embedding"])
        return found

    def _segments(
        self, ask: Ask, parts: Sequence[tuple[_Part, Outputs]]
    ) -> tuple[SegmentScores, ...]:
        results = []
        for number, text in enumerate(inspected_texts(ask)):
            views = [(part.inspected[number], outputs) for part, outputs in parts if part.inspected]
            results.append(self._segment(ask, text, views))
        return tuple(results)

    def _segment(
        self, ask: Ask, text: str, views: Sequence[tuple[Inspected, Outputs]]
    ) -> SegmentScores:
        jailbreak: float | None = None
        pii: tuple[PiiSpan, ...] | None = None
        parts: list[tuple[Encoded, Array]] = []
        for inspected, outputs in views:
            if (found := inspected.stretches.get("jailbreak")) is not None:
                jailbreak = self._risk(found, inspected, outputs)
            parts += [
                (stretch.encoded, _token_logits(stretch, outputs))
                for stretch in inspected.stretches.get("pii", ())
            ]
        if "pii" in ask.heads and self.readers.pii is not None:
            pii = self.readers.pii.read(text, parts)
        unread = max((inspected.unread for inspected, _ in views), default=0)
        return SegmentScores(jailbreak=jailbreak, pii=pii, unread=unread)

    def _risk(
        self, stretches: Sequence[Stretch], inspected: Inspected, outputs: Outputs
    ) -> float | None:
        if self.readers.jailbreak is None:
            return None
        pieces = [
            (outputs[ids], stretch.suspicion) for stretch in stretches for _, ids in stretch.rows()
        ]
        return self.readers.jailbreak.read(pieces, inspected.suspicion, inspected.windows)

    def _embedding(self, vector: Array) -> array[float]:
        return normalised(vector, self.readers.embedding_dimensions)


def inspected_texts(ask: Ask) -> tuple[str, ...]:
    """The texts that jailbreak and pii read: the segments, without any the text itself."""
    return ask.segments or (ask.text,)


def _token_logits(stretch: Stretch, outputs: Outputs) -> Array:
    return stitched((piece, outputs[ids]["pii"]) for piece, ids in stretch.rows())
