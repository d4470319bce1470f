"""The guard: a hashed n-gram linear model that looks at every window of a text of any length.

Why this file exists: an encoder cannot read a megabyte for each request, and an attack may stand
anywhere in it. Training and serving both import this module, so the hash has one definition. It
knows nothing of tokenizers, encoders or of srd itself: it maps a text to suspicions.

The features of a text, all in wrapping 32-bit arithmetic over its code points:

* symbols: ASCII letters and letters of other scripts in lower case; digits become `0`; every other
  ASCII character and general or CJK punctuation becomes a space.
* words: maximal runs without a space; a word's hash is sum(symbol[i] * P**(i - start)).
* runs of two and three neighbouring words, and pairs with one word between: the words' hashes,
  each times an odd constant of its place. All of these stand where their first word begins.
* character n-grams: sum(symbol[i + k] * P**k, k < n), where the i-th symbol stands.
* bucket: (hash ^ salt of the kind) * M, its upper `bits` bits, where M is odd.

Each bucket has one weight. A window's suspicion is bias + scale * (sum of the weights that stand in
it): log-odds. Sums are of integers, so that a window has the same suspicion wherever the text was
cut to be read.
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
_Q = (0x85EBCA6B, 0xC2B2AE35, 0x27D4EB2F)
_M = 0x9E3779B1
_SALTS = {"word": 0x243F6A88, "pair": 0x85A308D3, "skip": 0x03707344, "triple": 0xA4093822}
_SALT_CHAR = 0x13198A2E
#: Characters that are read at a time: bounded arrays, and no long hold of the interpreter's lock.
CHUNK_CHARS = 32_768
#: Features that begin in a chunk may end this far behind it.
_REACH = 256
_SPACE = ord(" ")

Uint32 = npt.NDArray[np.uint32]
Int32 = npt.NDArray[np.int32]
Places = npt.NDArray[np.intp]


def _ascii_table() -> Uint32:
    table = np.full(128, _SPACE, dtype=np.uint32)
    for first in (ord("a"), ord("A")):
        table[first : first + 26] = np.arange(ord("a"), ord("z") + 1)
    table[ord("0") : ord("9") + 1] = ord("0")
    return table


def _powers(base: int, count: int) -> Uint32:
    result = np.empty(count, dtype=np.uint32)
    value = 1
    for index in range(count):
        result[index] = value
        value = value * base & 0xFFFFFFFF
    return result


_ASCII = _ascii_table()
_LONGEST = CHUNK_CHARS + _REACH + 2
_FORWARD = _powers(_P, _LONGEST + 1)
_BACKWARD = _powers(_P_INVERSE, _LONGEST + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardHashing:
    """The parameters that fix the features of a text. Stored beside the weights."""

    bits: int = 18
    char_ngrams: tuple[int, ...] = (5,)


def symbols(text: str) -> Uint32:
    """One symbol for each character of `text`."""
    if text.isascii():
        return _ASCII[np.frombuffer(text.encode(), dtype=np.uint8)]
    lowered = text.lower()
    if len(lowered) != len(text):  # a capital that is two letters in lower case
        lowered = "".join(char.lower()[0] for char in text)
    points = np.frombuffer(lowered.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    result = np.where(points < 128, _ASCII[np.minimum(points, 127)], points)
    general = (points >= 0x2000) & (points <= 0x206F)
    cjk = (points >= 0x3000) & (points <= 0x303F)
    result[general | cjk | (points == 0xA0)] = _SPACE
    return result


def features(text: str, hashing: GuardHashing) -> tuple[Places, Places]:
    """The buckets of all features of at most a chunk of text, and where each stands."""
    found = symbols(text[: CHUNK_CHARS + _REACH])
    kinds: list[tuple[Uint32, Places]] = []
    words, starts = _words(found)
    for name, hashes in _runs(words).items():
        kinds.append((hashes ^ np.uint32(_SALTS[name]), starts[: len(hashes)]))
    for n in hashing.char_ngrams:
        count = len(found) - n + 1
        if count > 0:
            kinds.append((_char_ngrams(found, n, count), np.arange(count)))
    if not kinds:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    hashes = np.concatenate([entry[0] for entry in kinds]) * np.uint32(_M)
    shift = np.uint32(32 - hashing.bits)
    return (hashes >> shift).astype(np.intp), np.concatenate([entry[1] for entry in kinds])


def _words(found: Uint32) -> tuple[Uint32, Places]:
    inner = np.zeros(len(found) + 2, dtype=np.bool_)
    inner[1:-1] = found != _SPACE
    edges = np.flatnonzero(inner[1:] != inner[:-1])
    starts, ends = edges[0::2], edges[1::2]
    prefix = np.zeros(len(found) + 1, dtype=np.uint32)
    np.cumsum(found * _FORWARD[: len(found)], dtype=np.uint32, out=prefix[1:])
    return (prefix[ends] - prefix[starts]) * _BACKWARD[starts], starts


def _runs(words: Uint32) -> dict[str, Uint32]:
    first, second, third = (words * np.uint32(odd) for odd in _Q)
    runs = {"word": words}
    if len(words) > 1:
        runs["pair"] = first[:-1] + second[1:]
    if len(words) > 2:
        runs["skip"] = first[:-2] + third[2:]
        runs["triple"] = first[:-2] + second[1:-1] + third[2:]
    return runs


def _char_ngrams(found: Uint32, n: int, count: int) -> Uint32:
    hashes = found[:count].copy()
    for k in range(1, n):
        hashes += found[k : k + count] * _FORWARD[k]
    return hashes ^ np.uint32((_SALT_CHAR + n) & 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Profile:
    """The weights of a text by place, summed up: sums[i] is that of all places before i."""

    sums: Int32
    scale: float
    bias: float

    def suspicion(self, start: int, end: int) -> float:
        """The log-odds of the characters [start, end)."""
        return self.bias + self.scale * float(self.sums[end] - self.sums[start])

    def windows(self, size: int, step: int) -> tuple[Places, npt.NDArray[np.float64]]:
        """The starts of all windows of `size` characters, and their log-odds. A shorter text is one
        window; the last one ends at the end."""
        length = len(self.sums) - 1
        last = max(length - size, 0)
        starts = np.append(np.arange(0, last, step), last)
        ends = np.minimum(starts + size, length)
        sums = (self.sums[ends] - self.sums[starts]).astype(np.float64)
        return starts, self.bias + self.scale * sums


class Guard:
    """A table of int8 weights and the hash that finds them. Immutable; thread-safe.

    `verdict` judges a suspected window that an encoder has read: weights of the encoder's log-odds,
    of the guard's own, and of each component of the encoder's embedding; the last is the bias.
    """

    def __init__(
        self,
        *,
        hashing: GuardHashing,
        table: npt.NDArray[np.int8],
        scale: float,
        bias: float,
        verdict: npt.NDArray[np.float32] | None = None,
    ) -> None:
        if table.shape != (1 << hashing.bits,):
            raise ValueError(f"table {table.shape} does not fit {hashing}")
        self.hashing = hashing
        self.verdict = verdict
        self._table = table
        self._scale = scale
        self._bias = bias

    def __repr__(self) -> str:
        return f"<Guard 2**{self.hashing.bits} buckets>"

    @classmethod
    def load(cls, path: Path) -> Guard:
        """Read what `save` wrote. Raises OSError, KeyError or ValueError if it is not that."""
        with np.load(path, allow_pickle=False) as archive:
            meta: dict[str, Any] = json.loads(bytes(archive["meta"].tobytes()))
            table = archive["table"]
            verdict = archive.get("verdict")
        hashing = GuardHashing(bits=meta["bits"], char_ngrams=tuple(meta["char_ngrams"]))
        return cls(
            hashing=hashing,
            table=table,
            scale=meta["scale"],
            bias=meta["bias"],
            verdict=verdict,
        )

    def save(self, path: Path) -> None:
        """Write the archive that `load` reads; the same weights give the same bytes."""
        meta = {
            "bits": self.hashing.bits,
            "char_ngrams": list(self.hashing.char_ngrams),
            "scale": self._scale,
            "bias": self._bias,
        }
        encoded = np.frombuffer(json.dumps(meta, sort_keys=True).encode(), dtype=np.uint8)
        arrays: dict[str, Any] = {"meta": encoded, "table": self._table}
        if self.verdict is not None:
            arrays["verdict"] = self.verdict
        np.savez_compressed(path, **arrays)

    def judged(
        self, encoder: float, suspicion: float, embedding: npt.NDArray[np.float32] | None
    ) -> float:
        """Log-odds of a suspected window from those of encoder and guard; without a verdict or an
        embedding they are the encoder's."""
        if self.verdict is None or embedding is None:
            return encoder
        first, second = self.verdict[:2]
        return float(
            first * encoder + second * suspicion + self.verdict[2:-1] @ embedding + self.verdict[-1]
        )

    def profile(self, text: str) -> Profile:
        """The weights of all of `text`, in bounded steps."""
        values = np.zeros(len(text) + 1, dtype=np.int32)
        for begin in range(0, len(text), CHUNK_CHARS):
            # A word is read from its beginning: one that began in the chunk before stands there.
            back = _overhang(text, begin)
            chunk = text[begin - back : begin + CHUNK_CHARS + _REACH - back]
            buckets, places = features(chunk, self.hashing)
            weights = self._table.take(buckets).astype(np.int32)
            room = min(CHUNK_CHARS, len(text) - begin)
            sums = np.bincount(places, weights=weights, minlength=room + back)
            values[begin + 1 : begin + 1 + room] = sums[back : back + room]
        np.cumsum(values, out=values)
        return Profile(values, self._scale, self._bias)


def _overhang(text: str, begin: int) -> int:
    """Characters before `begin` that belong to a word that goes on there, one reach at most."""
    back = 0
    while back < min(begin, _REACH // 2) and not text[begin - back - 1].isspace():
        back += 1
    return back
