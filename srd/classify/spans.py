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
    from collections.abc import Sequence

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
            if kind:
                score = float(probabilities[row, column])
                merger.add(row, prefix == "B", kind, score, offsets[row])
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
        if not len(words) or not self.types:
            return []
        starts = np.array(_word_starts(words), dtype=np.intp)
        ends = np.append(starts[1:], len(words))
        means = np.add.reduceat(probabilities, starts, axis=0) / (ends - starts)[:, None]
        masses = means @ self._membership
        kinds = masses.argmax(axis=1)
        tops = masses[np.arange(len(starts)), kinds]
        # A word is an entity when its type has more mass than "no entity at all".
        for word in np.flatnonzero(tops > 1.0 - masses.sum(axis=1)).tolist():
            kind, first = int(kinds[word]), int(starts[word])
            begin = float(probabilities[first] @ self._begins[:, kind])
            inside = float(probabilities[first] @ self._membership[:, kind]) - begin
            place = (offsets[first][0], offsets[int(ends[word]) - 1][1])
            merger.add(word, begin > inside, self.types[kind], float(tops[word]), place)
        return merger.close()


class _Merger:
    """Collects labelled tokens (or words), given by rising number, into spans."""

    def __init__(self) -> None:
        self._spans: list[PiiSpan] = []
        self._kind = ""
        self._number = -1
        self._place: Offsets = (0, 0)
        self._scores: list[float] = []

    def add(self, number: int, begins: bool, kind: str, score: float, place: Offsets) -> None:
        apart = number != self._number + 1 or place[0] - self._place[1] > _MAX_GAP
        if begins or apart or kind != self._kind:
            self._flush()
            self._kind, self._place = kind, place
        self._number = number
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


def _word_starts(words: Sequence[int | None]) -> list[int]:
    """Where each word begins; a token without a word number stands alone."""
    return [
        index
        for index, word in enumerate(words)
        if index == 0 or word is None or word != words[index - 1]
    ]


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
