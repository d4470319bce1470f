"""Words within a small edit distance of a keyword, all pairs at once.

Why this file exists: Levenshtein distance in Python costs microseconds a pair, and a prompt brings
thousands of words to dozens of keywords. Myers' bit-parallel recurrence (J. ACM 46, 1999) needs one
64-bit word a pair and a dozen operations a letter; here numpy does them for every pair together. It
must not know what a keyword rule is.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from srd.signals import arrays as np
from srd.signals.text import MAX_CHARS, MAX_WORDS

if TYPE_CHECKING:
    import numpy.typing as npt

#: Longer keywords have no fuzzy form: one machine word holds 64 letters.
MAX_KEYWORD = 64

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, repr=False)
class FuzzyWords:
    """Lower-cased keywords ready to be compared with the words of a text.

    A word is a run of letters and digits (as upstream). Read are the first 262,144
    characters and the first 8,192 different words of a fitting length.
    """

    keywords: tuple[str, ...]
    threshold: int
    _index: npt.NDArray[np.intp]  # position in `keywords` of each keyword that takes part
    _lengths: npt.NDArray[np.int64]
    _alphabet: npt.NDArray[np.uint32]  # sorted code points of all keywords
    _masks: npt.NDArray[np.uint64]  # [keyword, letter]; the last column is "any other letter"

    @classmethod
    def of(cls, keywords: Sequence[str], threshold: int) -> Self:
        """Keywords keep their indices; empty ones and those over 64 letters match nothing."""
        _ones_of_16()  # its table is built now rather than with the first request
        lowered = tuple(k.lower() for k in keywords)
        index = [i for i, k in enumerate(lowered) if 0 < len(k) <= MAX_KEYWORD]
        letters = sorted({ord(c) for i in index for c in lowered[i]})
        masks = np.zeros((len(index), len(letters) + 1), dtype=np.uint64)
        for row, i in enumerate(index):
            for position, char in enumerate(lowered[i]):
                masks[row, letters.index(ord(char))] |= np.uint64(1 << position)
        return cls(
            lowered,
            threshold,
            np.array(index, dtype=np.intp),
            np.array([len(lowered[i]) for i in index], dtype=np.int64),
            np.array(letters, dtype=np.uint32),
            masks,
        )

    def found(self, text: str, *, final: bool) -> set[int]:
        """Indices of keywords that some word comes close to.

        Before the end the last, perhaps unfinished word does not count.
        """
        words = self._fitting_words(text, final=final)
        if not words or not len(self._index):
            return set()
        lengths = np.array([len(w) for w in words], dtype=np.int64)
        letters = self._letters(words, int(lengths.max()))
        keyword, word = self._pairs(letters, lengths)
        distances = self._distances(letters, lengths, keyword, word)
        close = np.unique(keyword[distances <= self.threshold])
        return {int(self._index[row]) for row in close}

    def _pairs(
        self, letters: npt.NDArray[np.intp], lengths: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The pairs that may be close: an edit changes the length by one at most, and takes one
        letter at most out of the set of a word's letters."""
        slots = self._masks.shape[1]
        bits = np.uint64(1) << (np.arange(slots, dtype=np.uint64) % np.uint64(64))
        bits[-1] = 0  # any other letter, and padding
        theirs = np.bitwise_or.reduce(bits[letters], axis=1)
        ours = np.bitwise_or.reduce(np.where(self._masks != 0, bits, np.uint64(0)), axis=1)
        near = np.abs(self._lengths[:, None] - lengths[None, :]) <= self.threshold
        keyword, word = np.nonzero(near)
        lost, gained = ours[keyword] & ~theirs[word], theirs[word] & ~ours[keyword]
        likely = (_ones(lost) <= self.threshold) & (_ones(gained) <= self.threshold)
        return keyword[likely], word[likely]

    def _fitting_words(self, text: str, *, final: bool) -> list[str]:
        if not len(self._lengths):
            return []
        shortest = int(self._lengths.min()) - self.threshold
        longest = int(self._lengths.max()) + self.threshold
        clipped = text[:MAX_CHARS]
        words = _WORD.findall(clipped.lower())
        if words and not final and clipped[-1].isalnum():
            words.pop()
        fitting = dict.fromkeys(w for w in words if shortest <= len(w) <= longest)
        return list(fitting)[:MAX_WORDS]

    def _letters(self, words: Sequence[str], width: int) -> npt.NDArray[np.intp]:
        """[word, position] -> column of `_masks`; padding counts as "any other letter"."""
        joined = "".join(w.ljust(width, "\0") for w in words)
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        slots = np.searchsorted(self._alphabet, codes)
        known = self._alphabet[np.minimum(slots, len(self._alphabet) - 1)] == codes
        return np.where(known, slots, len(self._alphabet)).reshape(len(words), width)

    def _distances(
        self,
        letters: npt.NDArray[np.intp],
        lengths: npt.NDArray[np.int64],
        keyword: npt.NDArray[np.intp],
        word: npt.NDArray[np.intp],
    ) -> npt.NDArray[np.int64]:
        """Levenshtein distance of each (keyword, word) pair.

        pv and mv are the +1 and -1 steps down the current column of the matrix, one bit a letter of
        the keyword; the distance is followed along the bottom row and taken at the word's end.
        """
        rows = self._lengths[keyword]
        one = np.uint64(1)
        bottom = one << (rows - 1).astype(np.uint64)
        pv = np.full(len(keyword), ~np.uint64(0))
        mv = np.zeros(len(keyword), dtype=np.uint64)
        score = rows.copy()
        result = rows.copy()
        for column in range(letters.shape[1]):
            x = self._masks[keyword, letters[word, column]] | mv
            d0 = (((x & pv) + pv) ^ pv) | x
            hp = mv | ~(d0 | pv)
            hn = d0 & pv
            score += (hp & bottom) != 0
            score -= (hn & bottom) != 0
            np.copyto(result, score, where=lengths[word] == column + 1)
            hp = (hp << one) | one
            pv = (hn << one) | ~(d0 | hp)
            mv = d0 & hp
        return result

    def __repr__(self) -> str:
        return f"<FuzzyWords of {len(self.keywords)} within {self.threshold}>"


@functools.cache
def _ones_of_16() -> npt.NDArray[np.uint8]:
    """[number of 16 bits] -> how many of them are set."""
    return np.array([number.bit_count() for number in range(1 << 16)], dtype=np.uint8)


def _ones(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """How many bits of each are set."""
    halves: npt.NDArray[np.int64] = (
        _ones_of_16()[numbers.view(np.uint16).reshape(-1, 4)].sum(axis=1).astype(np.int64)
    )
    return halves
