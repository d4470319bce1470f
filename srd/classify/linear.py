"""The first stage: a hashed n-gram linear model in numpy, far below a millisecond per prompt.

Why this file exists: most prompts name their subject in plain words, and a forward of the encoder
costs a hundred times as much as a table lookup. Training and serving both import this module, so
the hash has one definition. It knows nothing of tokenizers, ONNX, thresholds or of srd itself: it
maps a text to logits, and the caller decides whether they are sure enough.

The features of a text, all in wrapping 32-bit arithmetic over its lower-case UTF-8 bytes:

* bytes: `text[:max_chars].lower()` encoded as UTF-8; digits become `0`; every other byte below 128
  that is not a letter becomes a space; a space is put at both ends.
* words: maximal runs without a space; a word's hash is sum(byte[i] * P**(i - start)).
* word pairs: hash(first) * Q + hash(second) for neighbours, where Q is odd.
* character n-grams: for each n in `char_ngrams`, sum(byte[i + k] * P**k, k < n) at every i among
  the first `max_char_bytes` bytes, spaces included.
* bucket: (hash ^ salt of the kind) * M, its upper `bits` bits, where M is odd.

Each bucket is a row of the table. The row holds one weight per label and, last, the squared
inverse document frequency; a text's logits are bias + (sum of weights) / sqrt(sum of squares).
Repetitions count each time. The logits of a text longer than `fade_chars` are scaled by
fade_chars / length: most words of a long prompt are not the question's, so the stage trusts itself
less there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pathlib import Path

_P = 0x01000193
_P_INVERSE = pow(_P, -1, 1 << 32)
_Q = 0x85EBCA6B
_M = 0x9E3779B1
_SALT_WORD = 0x243F6A88
_SALT_PAIR = 0x85A308D3
_SALT_CHAR = 0x13198A2E
#: UTF-8 needs at most four bytes for a character; two more for the spaces at the ends.
_BYTES_PER_CHAR = 4

Uint32 = npt.NDArray[np.uint32]
Float32 = npt.NDArray[np.float32]


def _byte_table() -> npt.NDArray[np.uint32]:
    table = np.full(256, ord(" "), dtype=np.uint32)
    table[ord("a") : ord("z") + 1] = np.arange(ord("a"), ord("z") + 1)
    # .lower() leaves no ASCII capital, so only the digits and the non-ASCII bytes remain.
    table[ord("0") : ord("9") + 1] = ord("0")
    table[128:] = np.arange(128, 256)
    return table


_BYTES = _byte_table()


def _powers(base: int, count: int) -> Uint32:
    result = np.empty(count, dtype=np.uint32)
    value = 1
    for index in range(count):
        result[index] = value
        value = value * base & 0xFFFFFFFF
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Hashing:
    """The parameters that fix the features of a text. Stored beside the weights."""

    bits: int = 18
    char_ngrams: tuple[int, ...] = (4,)
    max_chars: int = 3072
    max_char_bytes: int = 1024


class Hasher:
    """Maps a text to the buckets of its features, one entry per occurrence."""

    def __init__(self, hashing: Hashing) -> None:
        self.hashing = hashing
        limit = hashing.max_chars * _BYTES_PER_CHAR + 2
        self._forward = _powers(_P, limit + 1)
        self._backward = _powers(_P_INVERSE, limit + 1)
        self._shift = np.uint32(32 - hashing.bits)

    def __repr__(self) -> str:
        return f"<Hasher {self.hashing}>"

    def buckets(self, text: str) -> npt.NDArray[np.intp]:
        """Return the bucket of every feature of `text`; may be empty, never raises."""
        raw = text[: self.hashing.max_chars].lower()[: self.hashing.max_chars]
        encoded = b" " + raw.encode("utf-8", "replace") + b" "
        symbols = _BYTES[np.frombuffer(encoded, dtype=np.uint8)]
        words = self._words(symbols)
        kinds = [words ^ np.uint32(_SALT_WORD)]
        if len(words) > 1:
            pairs = words[:-1] * np.uint32(_Q) + words[1:]
            kinds.append(pairs ^ np.uint32(_SALT_PAIR))
        head = symbols[: self.hashing.max_char_bytes]
        kinds += [self._char_ngrams(head, n) for n in self.hashing.char_ngrams if len(head) >= n]
        hashes = np.concatenate(kinds) * np.uint32(_M)
        return (hashes >> self._shift).astype(np.intp)

    def _words(self, symbols: Uint32) -> Uint32:
        space = symbols == ord(" ")
        # The text begins and ends with a space, so edges come in pairs: start, end, start, ...
        edges = np.flatnonzero(space[1:] != space[:-1]) + 1
        starts, ends = edges[0::2], edges[1::2]
        prefix = np.zeros(len(symbols) + 1, dtype=np.uint32)
        np.cumsum(symbols * self._forward[: len(symbols)], dtype=np.uint32, out=prefix[1:])
        return (prefix[ends] - prefix[starts]) * self._backward[starts]

    def _char_ngrams(self, symbols: Uint32, n: int) -> Uint32:
        count = len(symbols) - n + 1
        hashes = symbols[:count].copy()
        for k in range(1, n):
            hashes += symbols[k : k + count] * self._forward[k]
        return hashes ^ np.uint32((_SALT_CHAR + n) & 0xFFFFFFFF)


class LinearStage:
    """A table of int8 rows and the hash that finds them. Immutable; thread-safe."""

    def __init__(
        self,
        *,
        hashing: Hashing,
        labels: tuple[str, ...],
        table: npt.NDArray[np.int8],
        scale: Float32,
        bias: Float32,
        fade_chars: int | None = None,
    ) -> None:
        if table.shape != (1 << hashing.bits, len(labels) + 1):
            raise ValueError(f"table {table.shape} does not fit {hashing} and {len(labels)} labels")
        self.hashing = hashing
        self.labels = labels
        self.fade_chars = fade_chars
        self._hasher = Hasher(hashing)
        self._table = table
        self._scale = scale
        self._bias = bias

    def __repr__(self) -> str:
        return f"<LinearStage {len(self.labels)} labels, 2**{self.hashing.bits} buckets>"

    @classmethod
    def load(cls, path: Path) -> LinearStage:
        """Read what `save` wrote. Raises OSError, KeyError or ValueError if it is not that."""
        with np.load(path, allow_pickle=False) as archive:
            meta: dict[str, Any] = json.loads(bytes(archive["meta"].tobytes()))
            table, scale, bias = archive["table"], archive["scale"], archive["bias"]
        hashing = Hashing(
            bits=meta["bits"],
            char_ngrams=tuple(meta["char_ngrams"]),
            max_chars=meta["max_chars"],
            max_char_bytes=meta["max_char_bytes"],
        )
        labels = tuple(meta["labels"])
        return cls(
            hashing=hashing,
            labels=labels,
            table=table,
            scale=scale,
            bias=bias,
            fade_chars=meta.get("fade_chars"),
        )

    def save(self, path: Path) -> None:
        """Write the archive that `load` reads; the same weights give the same bytes."""
        meta = {
            "bits": self.hashing.bits,
            "char_ngrams": list(self.hashing.char_ngrams),
            "max_chars": self.hashing.max_chars,
            "max_char_bytes": self.hashing.max_char_bytes,
            "labels": list(self.labels),
            "fade_chars": self.fade_chars,
        }
        encoded = np.frombuffer(json.dumps(meta, sort_keys=True).encode(), dtype=np.uint8)
        np.savez_compressed(
            path, meta=encoded, table=self._table, scale=self._scale, bias=self._bias
        )

    def logits(self, text: str) -> Float32:
        """Return one uncalibrated logit per label. A text without a feature gives the bias."""
        rows = self._table.take(self._hasher.buckets(text), axis=0)
        sums = rows.sum(axis=0, dtype=np.int32) * self._scale
        norm = float(sums[-1])
        if norm <= 0.0:
            return self._bias.copy()
        result: Float32 = self._bias + sums[:-1] / np.float32(norm**0.5)
        if self.fade_chars is not None and len(text) > self.fade_chars:
            result *= np.float32(self.fade_chars / len(text))
        return result
