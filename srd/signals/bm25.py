"""Keywords by BM25: each keyword is a document, the prompt is the query.

Why this file exists: `method: bm25` of a keyword rule (upstream's: its `bm25` crate). k1
1.2, b 0.75, idf = ln(1 + (N - n + .5)/(n + .5)), a query word counts each time it occurs. It must
not know what a keyword rule is.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from srd.signals.english import stems
from srd.signals.text import MAX_CHARS

_K1 = 1.2
_B = 0.75
_EMPTY_AVERAGE = 256.0


@dataclass(frozen=True, slots=True, repr=False)
class Bm25Keywords:
    """Keywords as an inverted index of stems. Read are the first 262,144 characters.

    With one word a keyword, a single occurrence of it scores about ln(N), so the default threshold
    of .1 means "occurs in some inflection".
    """

    threshold: float
    size: int
    _postings: Mapping[str, tuple[tuple[int, float], ...]]  # stem -> (keyword, score a time)

    @classmethod
    def of(cls, keywords: Sequence[str], *, threshold: float) -> Self:
        """Keywords made of stop words alone never score.

        Case never matters: stemming needs lower case, upstream's tokenizer sees to it even for
        `case_sensitive`.
        """
        documents = [Counter(stems(k)) for k in keywords]
        lengths = [d.total() for d in documents]
        average = (sum(lengths) / len(lengths) if lengths else 0.0) or _EMPTY_AVERAGE
        holders: dict[str, list[int]] = {}
        for index, document in enumerate(documents):
            for stem in document:
                holders.setdefault(stem, []).append(index)
        postings = {}
        for stem, indices in holders.items():
            idf = math.log(1 + (len(keywords) - len(indices) + 0.5) / (len(indices) + 0.5))
            weighted = []
            for index in indices:
                times = documents[index][stem]
                norm = _K1 * (1 - _B + _B * lengths[index] / average)
                weighted.append((index, idf * times * (_K1 + 1) / (times + norm)))
            postings[stem] = tuple(weighted)
        return cls(threshold, len(keywords), MappingProxyType(postings))

    def scores(self, text: str, *, final: bool) -> dict[int, float]:
        """Keyword index -> score, for keywords that score at all. More text never lowers one."""
        totals: dict[int, float] = {}
        query = Counter(stems(text[:MAX_CHARS], final=final))
        for stem, postings in self._postings.items():
            if times := query[stem]:
                for index, weight in postings:
                    totals[index] = totals.get(index, 0.0) + weight * times
        return totals

    def found(self, text: str, *, final: bool) -> set[int]:
        """Indices of keywords that reach the threshold."""
        scores = self.scores(text, final=final)
        return {index for index, score in scores.items() if score >= self.threshold}

    def __repr__(self) -> str:
        return f"<Bm25Keywords of {self.size} at {self.threshold}>"
