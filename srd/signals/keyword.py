"""`keyword`: words and patterns of the prompt, with AND, OR and NOR.

Why this file exists: it turns "which keywords occur for certain" into a three-valued reading. How
occurrence is measured lives in patterns, fuzzy, bm25 and ngram; it must not know classifiers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from srd.config.base import Fraction, NotNegative, Positive, Word
from srd.config.problems import quote
from srd.signals.base import UNKNOWN, Evidence, Origin, Reach, Reading, Truth
from srd.signals.bm25 import Bm25Keywords
from srd.signals.checks import check_pattern
from srd.signals.entry import Place, Rule, SignalType, Source
from srd.signals.fuzzy import FuzzyWords
from srd.signals.lookalikes import folded, normalized, stable
from srd.signals.ngram import NgramWords
from srd.signals.patterns import LiteralSet, PatternList
from srd.signals.readings import FALSE, is_final, is_open, origins_of, said, segments

_DETAIL_KEYWORDS = 8


class KeywordRule(Rule, frozen=True, kw_only=True):
    """Words or patterns. No `method` means literals with word boundaries.

    `source`, `include_history` and `include_tools` are ours; the inclusions are of blocking
    decisions, where every segment is read as the backend reads it, whatever the source.

    `normalize: nfkc` (ours) reads the text as it looks: after NFKC, without invisible characters,
    and once more with Cyrillic and Greek look-alikes of Latin letters folded.
    """

    operator: Literal["AND", "OR", "NOR"]
    keywords: tuple[Word, ...] = ()
    case_sensitive: bool = False
    method: Literal["", "regex", "bm25", "ngram"] = ""
    fuzzy_match: bool = False
    fuzzy_threshold: NotNegative = 2
    bm25_threshold: float = 0.1
    ngram_threshold: Fraction = 0.4
    ngram_arity: Positive = 3
    normalize: Literal["", "nfkc"] = ""
    source: Source = ""
    include_history: bool = False
    include_tools: bool = False


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
    With `origins`, each segment of these is read by itself, and it does not matter in which of them
    a keyword stands; without, the deciding text of the `source`.
    """

    name: str
    reach: Reach
    operator: str
    keywords: tuple[str, ...]
    matcher: Matcher
    fuzzy: Matcher | None = None
    source: Source = ""
    origins: frozenset[Origin] = frozenset()
    type: str = "keyword"
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        """Never raises; linear in the text."""
        if not is_open(self.reach, evidence):
            return UNKNOWN
        final = is_final(self.reach, evidence)
        exact, near = self._found(evidence, final=final)
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

    def _found(self, evidence: Evidence, *, final: bool) -> tuple[set[int], set[int]]:
        """Indices of the keywords that occur, and of those that nearly do."""
        exact: set[int] = set()
        near: set[int] = set()
        for text in self._texts(evidence):
            exact |= self.matcher.found(text, final=final)
            near |= self.fuzzy.found(text, final=final) if self.fuzzy else set()
        return exact, near - exact

    def _texts(self, evidence: Evidence) -> list[str]:
        if self.origins:
            return [segment.text for segment in segments(self.origins, evidence)]
        return [said(self.source, evidence)]

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


def compile_keyword(rule: KeywordRule, reach: Reach, *, blocking: bool = False) -> KeywordSignal:
    """The rule, ready to be read.

    :raises RuleError: if RE2 refuses a pattern of `method: regex`.
    """
    keywords = tuple(rule.keywords)
    if rule.normalize == "nfkc" and rule.method != "regex":
        keywords = tuple(map(normalized, keywords))
    # Upstream applies fuzzy_match to the regex methods only (section 1.16).
    is_fuzzy = rule.fuzzy_match and rule.method in ("", "regex")
    fuzzy = FuzzyWords.of(keywords, rule.fuzzy_threshold or 2) if is_fuzzy else None
    matcher: Matcher = _matcher(rule, keywords)
    near: Matcher | None = fuzzy
    if rule.normalize == "nfkc":
        matcher, near = AsItLooks(matcher), AsItLooks(fuzzy) if fuzzy else None
    history, tools = rule.include_history, rule.include_tools
    return KeywordSignal(
        rule.name,
        reach,
        rule.operator,
        keywords,
        matcher,
        near,
        rule.source,
        origins_of(blocking=True, history=history, tools=tools) if blocking else frozenset(),
    )


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


def _check(rule: KeywordRule, place: Place) -> None:
    problems, path = place.problems, place.at("keywords")
    if not rule.keywords and rule.name and not problems.broken(path):
        problems.warn(path, f"keyword rule {quote(rule.name)} has no keywords")
    for number, word in enumerate(rule.keywords):
        where = place.at("keywords", number)
        if not word.strip() and problems.written(where):
            what = "an empty keyword" if not word else "a keyword of nothing but white space"
            problems.warn(where, what, "it is probably not what you want")
        if rule.method == "regex":
            check_pattern(problems, where, word)


ENTRY = SignalType(
    name="keyword",
    section="keywords",
    rule=KeywordRule,
    check=_check,
    compile=lambda rule, making: compile_keyword(rule, making.reach, blocking=making.blocking),
    guards=True,
    header="keywords",
)
