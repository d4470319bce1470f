"""One graph with its tokenizer and heads: texts in, logits per head out.

Why this file exists: it decides which tokens of a text the graph reads, and which outputs are
computed. It must not know queues, caches, calibration, or which stretches of a text are inspected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from srd.classify.api import MOST_CHARS_PER_TOKEN, ModelError
from srd.classify.heads import pool
from srd.classify.tokens import Encoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from srd.classify.ort import Array, Session
    from srd.classify.tokens import TextTokenizer

#: Heads that read a beginning of the text, and heads that read all of it.
PREFIX_HEADS = frozenset({"domain", "embedding"})
FULL_HEADS = frozenset({"jailbreak", "pii"})
#: Not for callers: the embedding, by which the guard judges a window that it suspects.
CONTEXT = "context"

#: Tokens per piece of a long text, and tokens shared by neighbours (upstream's: about
#: 384 tokens with 64 characters of overlap; it estimates, we count).
PIECE_TOKENS = 384
OVERLAP_TOKENS = 16

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids without special tokens, and the heads that read them."""

    ids: tuple[int, ...]
    heads: frozenset[str]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a window reads of a text: its tokens, their characters, and characters per token."""

    ids: tuple[int, ...]
    text: str
    density: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of tokens [start, end) of a longer encoding."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a head's logits come from and how its texts are cut; `labels` in logit order."""

    output: str
    labels: tuple[str, ...] = ()
    piece_tokens: int | None = None


class Encoder:
    """A loaded graph. Thread-safe; `forward` works on the caller's thread."""

    def __init__(
        self,
        session: Session,
        tokenizer: TextTokenizer,
        heads: Mapping[str, Head],
        *,
        max_tokens: int = 512,
    ) -> None:
        """Raises ModelError when the graph lacks an output or input, or disagrees with labels."""
        self.session = session
        self.tokenizer = tokenizer
        self.heads = dict(heads)
        self.max_tokens = max_tokens
        self._check()

    def __repr__(self) -> str:
        return f"<Encoder {self.session!r} for {', '.join(sorted(self.heads))}>"

    def _check(self) -> None:
        where = self.session.path
        unknown = sorted(set(self.session.inputs) - {IDS, MASK, TYPES})
        if unknown or IDS not in self.session.inputs:
            raise ModelError(
                f"{where}: inputs are {', '.join(self.session.inputs)}; expected {IDS}, {MASK} "
                f"and optionally {TYPES}."
            )
        for name, head in self.heads.items():
            shape = self.session.outputs.get(head.output)
            if shape is None:
                raise ModelError(
                    f"{where}: no output {head.output!r} for {name}; the graph has "
                    f"{', '.join(self.session.outputs)}."
                )
            width = shape[-1] if shape else None
            if head.labels and isinstance(width, int) and width != len(head.labels):
                raise ModelError(
                    f"{where}: {head.output!r} has {width} columns, but {name} has "
                    f"{len(head.labels)} labels: {', '.join(head.labels)}."
                )

    # ------------------------------------------------------------------ which tokens

    @property
    def room(self) -> int:
        """The most tokens of a text that one row holds."""
        return self.max_tokens - self.tokenizer.specials

    def beginning(self, text: str, window: int) -> Beginning:
        """The beginning of `text` that a window of so many tokens reads."""
        room = min(window, self.max_tokens) - self.tokenizer.specials
        text = text[: window * MOST_CHARS_PER_TOKEN]
        ids = self.tokenizer.encode(text).ids
        if len(ids) > room:
            full = self.tokenizer.encode(text, offsets=True)
            text, ids = text[: full.offsets[room - 1][1]], full.ids[:room]
        return Beginning(tuple(ids), text, density(text, ids, self.tokenizer.unknown))

    def cut(self, encoded: Encoded, head: str) -> list[Piece]:
        """The pieces in which a head that reads everything reads an encoded text."""
        piece, count = self.heads[head].piece_tokens, len(encoded.ids)
        if piece is None and count <= self.room:
            return [Piece(0, count)]
        size = min(piece or PIECE_TOKENS, self.room)
        overlap = min(OVERLAP_TOKENS, size // 4)
        return [Piece(start, end) for start, end in pieces(count, size, overlap)]

    # ------------------------------------------------------------------ the graph

    def forward(self, rows: Sequence[Row]) -> list[dict[str, Array]]:
        """Run the rows as one padded batch; per row: head -> logits or vector, float32.

        Token heads give one line per token of the row, special tokens cut off.
        """
        wanted = sorted({self.heads[name].output for row in rows for name in row.heads})
        feeds, mask = self._feeds(rows)
        values = dict(zip(wanted, self.session.run(wanted, feeds), strict=True))
        results: list[dict[str, Array]] = []
        pooled: dict[str, Array] = {}
        for index, row in enumerate(rows):
            result: dict[str, Array] = {}
            for name in row.heads:
                output = self.heads[name].output
                value = values[output]
                if name == "embedding" and value.ndim == 3:
                    value = pooled.setdefault(output, pool(value, mask))
                result[name] = self._row_of(value, index, len(row))
            results.append(result)
        return results

    def _row_of(self, value: Array, index: int, tokens: int) -> Array:
        line = np.asarray(value[index], dtype=np.float32)
        if line.ndim == 1:
            return line
        first = len(self.tokenizer.prefix)
        return line[first : first + tokens]

    def _feeds(self, rows: Sequence[Row]) -> tuple[dict[str, Array], Array]:
        tokenizer = self.tokenizer
        width = max(map(len, rows)) + tokenizer.specials
        ids = np.full((len(rows), width), tokenizer.pad, dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.int64)
        for index, row in enumerate(rows):
            line = [*tokenizer.prefix, *row.ids, *tokenizer.suffix]
            ids[index, : len(line)] = line
            mask[index, : len(line)] = 1
        offered: dict[str, Array] = {IDS: ids, MASK: mask, TYPES: np.zeros_like(ids)}
        feeds = {
            name: offered[name].astype(kind or np.int64, copy=False)
            for name, kind in self.session.inputs.items()
        }
        return feeds, mask


def stitched(parts: Iterable[tuple[Piece, Array]]) -> Array:
    """A token head's logits for a whole encoding, from those of its pieces: [tokens, labels].

    Neighbouring pieces share tokens; the seam runs through the middle of the shared part, so each
    token is judged by the piece that sees more of its surroundings.
    """
    ordered = sorted(parts, key=lambda part: part[0].start)
    lines: list[Array] = []
    done = 0
    for number, (piece, values) in enumerate(ordered):
        last = number + 1 == len(ordered)
        stop = piece.end if last else (ordered[number + 1][0].start + piece.end) // 2
        lines.append(values[done - piece.start : stop - piece.start])
        done = stop
    result: Array = np.concatenate(lines)
    return result


def density(text: str, ids: Sequence[int], unknown: int = -1) -> float:
    """Characters per token of an encoded text; 0 for an empty one, and for an unreadable one.

    Unreadable is a text of which a fifth or more of the tokens stands for words without pieces: one
    such token hides any number of characters.
    """
    if not ids or ids.count(unknown) * 5 >= len(ids):
        return 0.0
    return len(text) / len(ids)


def pieces(count: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """Cut `count` tokens into runs of at most `size`; neighbours share at least `overlap`.

    The last run ends at the end and is full length, so that no piece is a stump.
    """
    if count <= size:
        return [(0, count)]
    starts = [*range(0, count - size, size - overlap), count - size]
    return [(start, start + size) for start in starts]


def moved(encoded: Encoded, by: int) -> Encoded:
    """The same tokens with character offsets `by` larger."""
    offsets = [(start + by, end + by) for start, end in encoded.offsets]
    return Encoded(encoded.ids, offsets, encoded.words)
