"""Keywords by n-gram similarity: typo-tolerant without edit distances.

Why this file exists: `method: ngram` of a keyword rule. Measure and walk are those of upstream's
`ngrammatic` (padded n-grams, warp 2); where we differ: results are not cut to ten a word, and a
word so long that it cannot reach the threshold is skipped unmeasured, which changes nothing. It
must not know what a keyword rule is.
"""

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from srd.signals.text import MAX_CHARS, MAX_WORDS

#: Measuring a word costs some ten microseconds.
MAX_MEASURED = 2_048

_WORD = re.compile(r"[\w-]+")


def grams(word: str, arity: int) -> Counter[str]:
    """The multiset of n-grams of the word with `arity - 1` spaces on either side."""
    pad = " " * (arity - 1)
    padded = pad + word + pad
    return Counter(padded[i : i + arity] for i in range(len(padded) - arity + 1))


def similarity(left: Counter[str], right: Counter[str]) -> float:
    """1 - (1 - shared/all)^2, 0..1: the share of common n-grams, bent upwards (warp 2)."""
    shared = sum(min(count, right[gram]) for gram, count in left.items())
    every = left.total() + right.total() - shared
    if not every:
        return 0.0
    apart = (every - shared) / every
    return 1.0 - apart * apart


@dataclass(frozen=True, slots=True, repr=False)
class NgramWords:
    """Keywords as n-gram multisets.

    Read are the first 262,144 characters and the first 8,192 different words that could reach the
    threshold by their length; measured the first 2,048 of them that share enough n-grams with the
    keywords.
    """

    threshold: float
    arity: int
    case_sensitive: bool
    _keywords: tuple[Counter[str], ...]
    _longest: int
    _grams: frozenset[str]  # of all keywords
    _share: float  # of all n-grams of two words, that they must have in common at least

    @classmethod
    def of(
        cls, keywords: Sequence[str], *, threshold: float, arity: int, case_sensitive: bool
    ) -> Self:
        """Arity under 2 is 2, as upstream."""
        arity = max(arity, 2)
        multisets = tuple(grams(k if case_sensitive else k.lower(), arity) for k in keywords)
        # similarity >= t needs shared/all >= 1 - sqrt(1 - t), and all >= the word's own n-grams.
        share = 1.0 - math.sqrt(max(0.0, 1.0 - min(threshold, 1.0)))
        most = max((m.total() for m in multisets), default=0)
        longest = int(most / share) if share > 0 else MAX_CHARS
        every = frozenset().union(*multisets)
        longest = min(longest, MAX_CHARS)
        return cls(threshold, arity, case_sensitive, multisets, longest, every, share)

    def found(self, text: str, *, final: bool) -> set[int]:
        """Indices of keywords that a word, or the text as a whole, is similar enough to.

        Before the end neither the whole text nor its last word counts.
        """
        found: set[int] = set()
        candidates = filter(self._may_reach, self._candidates(text, final=final))
        for candidate in itertools.islice(candidates, MAX_MEASURED):
            measured = grams(candidate, self.arity)
            found.update(
                index
                for index, keyword in enumerate(self._keywords)
                if index not in found
                and not measured.keys().isdisjoint(keyword)
                and similarity(measured, keyword) >= self.threshold
            )
            if len(found) == len(self._keywords):
                break
        return found

    def _may_reach(self, word: str) -> bool:
        """Whether enough of its n-grams are some keyword's: a tenth of a measurement's cost."""
        arity, every = self.arity, self._grams
        pad = " " * (arity - 1)
        padded = pad + word + pad
        total = len(word) + arity - 1
        common = 0
        for i in range(total):
            common += padded[i : i + arity] in every
        # shared >= share * all, and all >= the word's own.
        return common > 0 and common >= self._share * total - 1e-9

    def _candidates(self, text: str, *, final: bool) -> Iterator[str]:
        clipped = text[:MAX_CHARS] if self.case_sensitive else text[:MAX_CHARS].lower()
        words = _WORD.findall(clipped)
        if words and not final and clipped.endswith(words[-1]):
            words.pop()
        fitting = dict.fromkeys(w for w in words if len(w) <= self._longest)
        yield from list(fitting)[:MAX_WORDS]
        if final and len(text) <= self._longest:
            yield clipped

    def __repr__(self) -> str:
        return f"<NgramWords of {len(self._keywords)} at {self.threshold}>"
