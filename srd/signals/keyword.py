"""`keyword`: words and patterns of the prompt, with AND, OR and NOR.

Why this file exists: it turns "which keywords occur for certain" into a three-valued reading. How
occurrence is measured lives in patterns, fuzzy, bm25 and ngram; it must not know classifiers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from srd.config.signals import KeywordRule
from srd.signals.base import UNKNOWN, Evidence, Reading, Scope, Truth
from srd.signals.bm25 import Bm25Keywords
from srd.signals.fuzzy import FuzzyWords
from srd.signals.lookalikes import folded, normalized, stable
from srd.signals.ngram import NgramWords
from srd.signals.patterns import LiteralSet, PatternList
from srd.signals.readings import FALSE, is_final, is_open

_DETAIL_KEYWORDS = 8


class Matcher(Protocol):
    """Finds keywords.

    With `final` false the text is a beginning, and only keywords that every continuation contains
    too are found.
    """

    def found(self, text: str, *, final: bool) -> set[int]:
        """Indices of the keywords that occur."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class KeywordSignal:
    """One keyword rule.

    OR and AND are true as soon as enough keywords have occurred and false only when no more text
    will come; NOR is the mirror. `score` is the share of keywords found, `detail` names them.
    """

    name: str
    scope: Scope
    operator: str
    keywords: tuple[str, ...]
    matcher: Matcher
    fuzzy: Matcher | None = None
    type: str = "keyword"
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        """Never raises; linear in the text."""
        if not is_open(self.scope, evidence):
            return UNKNOWN
        final = is_final(self.scope, evidence)
        exact = self.matcher.found(evidence.text, final=final)
        near = self.fuzzy.found(evidence.text, final=final) - exact if self.fuzzy else set()
        count = len(exact) + len(near)
        score = count / len(self.keywords) if self.keywords else 0.0
        enough = count == len(self.keywords) if self.operator == "AND" else count > 0
        if self.operator == "NOR":
            if enough:
                return Reading(Truth.FALSE, 1.0, score, self._named(exact, near))
            return Reading(Truth.TRUE, 1.0, 0.0) if final else UNKNOWN
        if enough:
            return Reading(Truth.TRUE, 1.0, score, self._named(exact, near))
        return FALSE if final else UNKNOWN

    def _named(self, exact: set[int], near: set[int]) -> str:
        names = [self.keywords[i] + (" (fuzzy)" if i in near else "") for i in sorted(exact | near)]
        more = len(names) - _DETAIL_KEYWORDS
        return ", ".join(names[:_DETAIL_KEYWORDS]) + (f" and {more} more" if more > 0 else "")

    def __repr__(self) -> str:
        return f"<keyword:{self.name} {self.operator} of {len(self.keywords)} {self.matcher!r}>"


@dataclass(frozen=True, slots=True)
class AsItLooks:
    """Another matcher over the normalized text, and over that with look-alikes folded."""

    matcher: Matcher

    def found(self, text: str, *, final: bool) -> set[int]:
        """Before the end only what stands before the last blank counts."""
        plain = normalized(text if final else stable(text))
        found = self.matcher.found(plain, final=final)
        latin = folded(plain)
        return found if latin == plain else found | self.matcher.found(latin, final=final)


def compile_keyword(rule: KeywordRule, scope: Scope) -> KeywordSignal:
    """The rule, ready to be read.

    :raises RuleError: if RE2 refuses a pattern of `method: regex`.
    """
    keywords = tuple(rule.keywords)
    if rule.normalize == "nfkc" and rule.method != "regex":
        keywords = tuple(map(normalized, keywords))
    # Upstream applies fuzzy_match to the regex methods only (section 1.16).
    is_fuzzy = rule.fuzzy_match and rule.method in ("", "regex")
    fuzzy = FuzzyWords.of(keywords, rule.fuzzy_threshold or 2) if is_fuzzy else None
    matcher = _matcher(rule, keywords)
    if rule.normalize != "nfkc":
        return KeywordSignal(rule.name, scope, rule.operator, keywords, matcher, fuzzy)
    near = AsItLooks(fuzzy) if fuzzy else None
    return KeywordSignal(rule.name, scope, rule.operator, keywords, AsItLooks(matcher), near)


def _matcher(rule: KeywordRule, keywords: Sequence[str]) -> Matcher:
    if rule.method == "bm25":
        return Bm25Keywords.of(keywords, threshold=rule.bm25_threshold or 0.1)
    if rule.method == "ngram":
        return NgramWords.of(
            keywords,
            threshold=rule.ngram_threshold or 0.4,
            arity=rule.ngram_arity,
            case_sensitive=rule.case_sensitive,
        )
    if rule.method == "regex":
        return PatternList.of(rule.name, keywords, case_sensitive=rule.case_sensitive)
    return LiteralSet.of(keywords, case_sensitive=rule.case_sensitive)
