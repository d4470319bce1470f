"""One graph with its tokenizer and heads: texts in, logits per head out.

Why this file exists: it decides which tokens of a text the graph reads, in how many rows, and
which outputs are computed. It must not know queues, caches or calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from srd.classify.api import CHARS_PER_TOKEN, Ask, ModelError
from srd.classify.heads import pool
from srd.classify.tokens import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srd.classify.ort import Array, Session
    from srd.classify.tokens import TextTokenizer

#: Heads that read a beginning of the text, and heads that read all of it.
PREFIX_HEADS = frozenset({"domain", "embedding"})
FULL_HEADS = frozenset({"jailbreak", "pii"})

#: Tokens per piece of a long text, and tokens shared by neighbours (upstream's: about
#: 384 tokens with 64 characters of overlap; it estimates, we count).
PIECE_TOKENS = 384
OVERLAP_TOKENS = 16
#: What jailbreak and pii read at most, three quarters of it from the beginning, the rest from the
#: end. Upstream has no bound: one request may then cost minutes of CPU.
FULL_TOKENS = 8192

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"


@dataclass(frozen=True, slots=True)
class Row:
    """A run of tokens [start, end) of an encoded text, and the heads that read it."""

    text: Encoded
    start: int
    end: int
    heads: frozenset[str]

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The rows of one ask. `full` is the encoding that `jailbreak` and `pii` rows belong to;
    its offsets count characters of the asked text. `truncated`: it is not all of the text.
    `density`: characters per token of the beginning that prefix heads may read, 0 without one."""

    rows: tuple[Row, ...]
    full: Encoded | None = None
    truncated: bool = False
    density: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens that the graph reads for this plan, special tokens left out."""
        return sum(map(len, self.rows))


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
        full_tokens: int = FULL_TOKENS,
    ) -> None:
        """Raises ModelError when the graph lacks an output or input, or disagrees with labels."""
        self.session = session
        self.tokenizer = tokenizer
        self.heads = dict(heads)
        self.max_tokens = max_tokens
        self.full_tokens = full_tokens
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

    def plan(self, ask: Ask) -> Plan | None:
        """Tokenize an ask and choose its rows; None when no asked head is one of ours."""
        heads = ask.heads & self.heads.keys()
        prefix, full = heads & PREFIX_HEADS, heads & FULL_HEADS
        if not heads:
            return None
        window = min(ask.window, self.max_tokens) - self.tokenizer.specials
        beginning = ask.text[: ask.window * CHARS_PER_TOKEN]
        if not full:
            encoded = self.tokenizer.encode(beginning)
            row = Row(encoded, 0, min(len(encoded.ids), window), prefix)
            return Plan(rows=(row,), density=self._density(beginning, encoded))
        whole, truncated = self._whole(ask.text, offsets="pii" in full)
        same = len(beginning) == len(ask.text) and not truncated
        head_text = whole if same else self.tokenizer.encode(beginning)
        rows: dict[tuple[bool, int, int], set[str]] = {}
        if prefix:
            rows[head_text is whole, 0, min(len(head_text.ids), window)] = set(prefix)
        for name in full:
            for start, end in self._cut(name, len(whole.ids), window):
                rows.setdefault((True, start, end), set()).add(name)
        chosen = tuple(
            Row(whole if mine else head_text, start, end, frozenset(names))
            for (mine, start, end), names in rows.items()
        )
        seen = self._density(beginning, head_text) if prefix else 0.0
        return Plan(rows=chosen, full=whole, truncated=truncated, density=seen)

    def _density(self, text: str, encoded: Encoded) -> float:
        return density(text, encoded.ids, self.tokenizer.unknown)

    def _cut(self, head: str, count: int, window: int) -> list[tuple[int, int]]:
        piece = self.heads[head].piece_tokens
        if piece is None and count <= window:
            return [(0, count)]
        size = min(piece or PIECE_TOKENS, self.max_tokens - self.tokenizer.specials)
        return pieces(count, size, min(OVERLAP_TOKENS, size // 4))

    def _whole(self, text: str, *, offsets: bool) -> tuple[Encoded, bool]:
        """All tokens of a text, or `full_tokens` of it with the middle left out."""
        front, back = self.full_tokens * 3 // 4, self.full_tokens // 4
        room = (front * CHARS_PER_TOKEN, back * CHARS_PER_TOKEN)
        if len(text) <= sum(room):
            encoded = self.tokenizer.encode(text, offsets=offsets)
            if len(encoded.ids) <= self.full_tokens:
                return encoded, False
            return joined(cut(encoded, 0, front), cut(encoded, -back, None)), True
        first = self.tokenizer.encode(text[: room[0]], offsets=offsets)
        start = len(text) - room[1]
        second = moved(self.tokenizer.encode(text[start:], offsets=offsets), start)
        return joined(cut(first, 0, front), cut(second, -back, None)), True

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
            line = [*tokenizer.prefix, *row.text.ids[row.start : row.end], *tokenizer.suffix]
            ids[index, : len(line)] = line
            mask[index, : len(line)] = 1
        offered: dict[str, Array] = {IDS: ids, MASK: mask, TYPES: np.zeros_like(ids)}
        feeds = {
            name: offered[name].astype(kind or np.int64, copy=False)
            for name, kind in self.session.inputs.items()
        }
        return feeds, mask

    def stitched(self, plan: Plan, outputs: Sequence[dict[str, Array]], head: str) -> Array:
        """A token head's logits for all of `plan.full`: [tokens, labels].

        Neighbouring pieces share tokens; the seam runs through the middle of the shared part, so
        each token is judged by the piece that sees more of its surroundings.
        """
        assert plan.full is not None
        parts = [
            (row.start, row.end, output[head])
            for row, output in zip(plan.rows, outputs, strict=True)
            if head in row.heads
        ]
        parts.sort(key=lambda part: part[0])
        lines: list[Any] = []
        done = 0
        for number, (start, end, values) in enumerate(parts):
            stop = end if number + 1 == len(parts) else (parts[number + 1][0] + end) // 2
            lines.append(values[done - start : stop - start])
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


def cut(encoded: Encoded, start: int, end: int | None) -> Encoded:
    """A run of tokens as an encoding of its own."""
    part = slice(start, end)
    return Encoded(encoded.ids[part], encoded.offsets[part], encoded.words[part])


def moved(encoded: Encoded, by: int) -> Encoded:
    """The same tokens with character offsets `by` larger."""
    offsets = [(start + by, end + by) for start, end in encoded.offsets]
    return Encoded(encoded.ids, offsets, encoded.words)


def joined(first: Encoded, second: Encoded) -> Encoded:
    """Two runs of tokens one after the other; their words stay apart."""
    words = [None if word is None else -1 - word for word in second.words]
    return Encoded(
        [*first.ids, *second.ids],
        [*first.offsets, *second.offsets],
        [*first.words, *words],
    )
