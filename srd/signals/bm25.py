"""Keywords by BM25: each keyword is a document, the prompt is the query.

Why this file exists: `method: bm25` of a keyword rule (upstream's: its `bm25` crate). k1
1.2, b 0.75, idf = ln(1 + (N - n + .5)/(n + .5)), a query word counts each time it occurs. It must
not know what a keyword rule is.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from srd.signals.english import IRREGULAR, STOP_WORDS, beginning, stem, stems, words
from srd.signals.text import MAX_CHARS

_K1 = 1.2
_B = 0.75
_EMPTY_AVERAGE = 256.0
#: Different words that begin like a keyword's; stemming costs some microseconds a word.
MAX_STEMMED = 2_048


@dataclass(frozen=True, slots=True, repr=False)
class Bm25Keywords:
    """Keywords as an inverted index of stems.

    Read are the first 262,144 characters, and of them the first 2,048 different words that begin
    like one of the keywords' (those alone can have such a stem).

    With one word a keyword, a single occurrence of it scores about ln(N), so the default threshold
    of .1 means "occurs in some inflection".
    """

    threshold: float
    size: int
    _postings: Mapping[str, tuple[tuple[int, float], ...]]  # stem -> (keyword, score a time)
    _begins: Callable[[str], object]  # whether a word begins like one with such a stem

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
            for stemmed in document:
                holders.setdefault(stemmed, []).append(index)
        postings = {}
        for stemmed, indices in holders.items():
            idf = math.log(1 + (len(keywords) - len(indices) + 0.5) / (len(indices) + 0.5))
            weighted = []
            for index in indices:
                times = documents[index][stemmed]
                norm = _K1 * (1 - _B + _B * lengths[index] / average)
                weighted.append((index, idf * times * (_K1 + 1) / (times + norm)))
            postings[stemmed] = tuple(weighted)
        likely = "|".join(re.escape(beginning(stemmed)) for stemmed in postings) or "(?!)"
        begins = re.compile(likely).match
        return cls(threshold, len(keywords), MappingProxyType(postings), begins)

    def scores(self, text: str, *, final: bool) -> dict[int, float]:
        """Keyword index -> score, for keywords that score at all. More text never lowers one."""
        totals: dict[int, float] = {}
        for stemmed, times in self._query(text[:MAX_CHARS], final=final).items():
            for index, weight in self._postings.get(stemmed, ()):
                totals[index] = totals.get(index, 0.0) + weight * times
        return totals

    def _query(self, text: str, *, final: bool) -> Counter[str]:
        """The stems that some keyword has too; only words that begin like one are stemmed."""
        query: Counter[str] = Counter()
        likely = 0
        for word, times in Counter(words(text, final=final)).items():
            if not (self._begins(word) or word in IRREGULAR) or word in STOP_WORDS:
                continue
            likely += 1
            if likely > MAX_STEMMED:
                break
            query[stem(word)] += times
        return query

    def found(self, text: str, *, final: bool) -> set[int]:
        """Indices of keywords that reach the threshold."""
        scores = self.scores(text, final=final)
        return {index for index, score in scores.items() if score >= self.threshold}

    def __repr__(self) -> str:
        return f"<Bm25Keywords of {self.size} at {self.threshold}>"
