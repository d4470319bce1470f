"""Entities from token labels: BIO merging, and the union with what the rules found.

Why this file exists: token classifiers label pieces of words, the router wants spans of
characters. Pure; it must not know which model labelled the tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from srd.classify.api import PiiSpan

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Offsets = tuple[int, int]
#: Characters between two tokens of one entity; more means that text was left out between them.
_MAX_GAP = 64


class BioLabels:
    """Column numbers of a BIO label set, grouped by entity type."""

    def __init__(self, labels: Sequence[str]) -> None:
        """Take the labels in the order of the logits: "O", "B-PERSON", "I-PERSON", ..."""
        self.labels = tuple(labels)
        self._parts = [_split(label) for label in self.labels]
        self.types = tuple(dict.fromkeys(kind for _, kind in self._parts if kind))
        index = {kind: row for row, kind in enumerate(self.types)}
        self._membership = np.zeros((len(self.labels), len(self.types)), dtype=np.float32)
        self._begins = np.zeros_like(self._membership)
        for column, (prefix, kind) in enumerate(self._parts):
            if kind:
                self._membership[column, index[kind]] = 1.0
                self._begins[column, index[kind]] = prefix == "B"

    def __repr__(self) -> str:
        return f"<BioLabels {len(self.labels)} labels, types {', '.join(self.types)}>"

    def by_token(
        self, probabilities: npt.NDArray[Any], offsets: Sequence[Offsets]
    ) -> list[PiiSpan]:
        """Merge as upstream does (section 1.16): top label per token, running mean per entity."""
        top = probabilities.argmax(axis=-1)
        merger = _Merger()
        for row, column in enumerate(top.tolist()):
            prefix, kind = self._parts[column]
            merger.add(prefix == "B", kind, float(probabilities[row, column]), offsets[row])
        return merger.close()

    def by_word(
        self,
        probabilities: npt.NDArray[Any],
        offsets: Sequence[Offsets],
        words: Sequence[int | None],
    ) -> list[PiiSpan]:
        """Merge whole words: a word's type has the highest mean of P(B-type) + P(I-type).

        The pieces of a word vote together, so that an entity never begins inside a word and a
        piece that wavers between B and I loses nothing.
        """
        merger = _Merger()
        for start, end in _groups(words):
            mean = probabilities[start:end].mean(axis=0)
            masses = mean @ self._membership
            kind = int(masses.argmax()) if len(self.types) else -1
            if kind < 0 or masses[kind] <= 1.0 - masses.sum():
                merger.add(False, "", 0.0, offsets[start])
                continue
            first = probabilities[start]
            begin = float(first @ self._begins[:, kind])
            inside = float(first @ self._membership[:, kind]) - begin
            place = (offsets[start][0], offsets[end - 1][1])
            merger.add(begin > inside, self.types[kind], float(masses[kind]), place)
        return merger.close()


class _Merger:
    """Collects labelled tokens into spans."""

    def __init__(self) -> None:
        self._spans: list[PiiSpan] = []
        self._kind = ""
        self._place: Offsets = (0, 0)
        self._scores: list[float] = []

    def add(self, begins: bool, kind: str, score: float, place: Offsets) -> None:
        if not kind or begins or kind != self._kind or place[0] - self._place[1] > _MAX_GAP:
            self._flush()
        if not kind:
            return
        if not self._kind:
            self._kind, self._place = kind, place
        self._place = (self._place[0], place[1])
        self._scores.append(score)

    def _flush(self) -> None:
        if self._kind and self._place[1] > self._place[0]:
            mean = sum(self._scores) / len(self._scores)
            self._spans.append(PiiSpan(*self._place, self._kind, mean))
        self._kind, self._scores = "", []

    def close(self) -> list[PiiSpan]:
        self._flush()
        return self._spans


def _split(label: str) -> tuple[str, str]:
    """Split "B-PERSON" into ("B", "PERSON"), "O" into ("", ""); a bare type counts as inside."""
    if label == "O":
        return "", ""
    prefix, dash, kind = label.partition("-")
    return (prefix, kind) if dash and prefix in {"B", "I"} else ("I", label)


def _groups(words: Sequence[int | None]) -> Iterable[tuple[int, int]]:
    start = 0
    for index in range(1, len(words) + 1):
        if index == len(words) or words[index] is None or words[index] != words[start]:
            yield start, index
            start = index


def merged(rules: Sequence[PiiSpan], model: Sequence[PiiSpan]) -> tuple[PiiSpan, ...]:
    """Both lists in text order; where they overlap the rule stands, its checksum is proof."""
    kept = list(rules)
    taken = sorted((span.start, span.end) for span in rules)
    position = 0
    for span in sorted(model, key=lambda span: span.start):
        while position < len(taken) and taken[position][1] <= span.start:
            position += 1
        if position == len(taken) or taken[position][0] >= span.end:
            kept.append(span)
    return tuple(sorted(kept, key=lambda span: (span.start, span.end)))
