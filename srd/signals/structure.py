"""`structure`: the shape of the raw text: how often, how densely, in what order.

Why this file exists: features are measured here and compared in predicates. It must not know what a
feature is good for.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srd.config.base import Part, Word
from srd.config.rules import Predicate
from srd.signals.base import UNKNOWN, Evidence, Reach, Reading
from srd.signals.borders import Literal as Sought
from srd.signals.borders import codes, units
from srd.signals.checks import check_pattern, check_predicate
from srd.signals.entry import Place, Rule, SignalType, Source
from srd.signals.patterns import compile_re2
from srd.signals.predicates import distance_confidence, keeps
from srd.signals.readings import FALSE, is_blank, is_final, said, yes_or_no
from srd.signals.text import utf8

#: Occurrences of a regular expression are counted one by one, a microsecond each, so no further
#: than this, or than the predicate asks for ...
MAX_COUNT = 4_096
#: ... and that no further than this.
MAX_BOUND = 65_536


class StructureSource(Part, frozen=True, kw_only=True):
    """What is counted in the raw text."""

    type: Literal["regex", "keyword_set", "sequence", "text_bytes"]
    pattern: str = ""
    keywords: tuple[Word, ...] = ()
    case_sensitive: bool = False
    sequences: tuple[tuple[Word, ...], ...] = ()


class StructureFeature(Part, frozen=True, kw_only=True):
    """How it is counted."""

    type: Literal["exists", "count", "density", "sequence"]
    source: StructureSource


class StructureRule(Rule, frozen=True, kw_only=True):
    """The shape of a text. No predicate means more than 0. `source` is ours: which text."""

    feature: StructureFeature
    predicate: Predicate | None = None
    source: Source = ""


@dataclass(frozen=True, slots=True, repr=False)
class StructureSignal:
    """A measured feature against its predicate.

    Answers only when no more text will come: counts grow and densities move. A blank text never
    matches, whatever the predicate, as upstream.
    """

    name: str
    reach: Reach
    feature: str
    source: StructureSource
    predicate: Predicate | None
    patterns: tuple[Any, ...] = ()  # one re2 over bytes, or one literal for each keyword
    reads: Source = ""
    type: str = "structure"
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        """`score` is the feature's value, `confidence` grows with the distance to the bound."""
        if not is_final(self.reach, evidence):
            return UNKNOWN
        if is_blank(self.reach, evidence, self.reads):
            return FALSE
        value = self._value(said(self.reads, evidence))
        confidence = distance_confidence(value, self.predicate)
        return yes_or_no(
            keeps(value, self.predicate), confidence, value, f"{self.feature} {value:g}"
        )

    def _value(self, text: str) -> float:
        if self.feature == "sequence":
            return float(self._in_sequence(text))
        count, counted = self._count(text)
        if self.feature == "exists":
            return float(count > 0)
        if self.feature == "density":
            there = units(codes(counted))
            return count / there if there else 0.0
        return float(count)

    def _count(self, text: str) -> tuple[int, str]:
        """How often, and the text in which that was counted."""
        kind = self.source.type
        if kind == "text_bytes":
            return len(utf8(text)), text
        if kind == "sequence":
            return int(self._in_sequence(text)), text
        if kind == "regex":
            return self._matches(text)
        points = codes(text if self.source.case_sensitive else text.lower())
        return sum(literal.count(points) for literal in self.patterns), text

    def _matches(self, text: str) -> tuple[int, str]:
        subject, most = utf8(text), 1 if self.feature == "exists" else self._most()
        count = end = 0
        for pattern in self.patterns:
            for match in itertools.islice(pattern.finditer(subject), most):
                count, end = count + 1, match.end()
        return count, text if count < most else subject[:end].decode("utf-8", "ignore")

    def _most(self) -> int:
        """So far as the answer depends on it."""
        rule = self.predicate
        if rule is None or self.feature == "density":
            return MAX_COUNT
        bounds = [bound for bound in (rule.gt, rule.gte, rule.lt, rule.lte) if bound is not None]
        return min(MAX_BOUND, max(MAX_COUNT, *(int(min(b, MAX_BOUND)) + 1 for b in bounds), 1))

    def _in_sequence(self, text: str) -> bool:
        """True when the markers of one sequence occur in their order, without overlap."""
        subject = text if self.source.case_sensitive else text.lower()
        return any(
            markers and _occur_in_order(subject, markers, self.source.case_sensitive)
            for markers in self.source.sequences
        )

    def __repr__(self) -> str:
        return f"<structure:{self.name} {self.feature} of {self.source.type}>"


def _occur_in_order(subject: str, markers: Sequence[str], case_sensitive: bool) -> bool:
    position = 0
    for marker in markers:
        wanted = marker if case_sensitive else marker.lower()
        found = subject.find(wanted, position)
        if found < 0:
            return False
        position = found + len(wanted)
    return True


def compile_structure(rule: StructureRule, reach: Reach) -> StructureSignal:
    """The rule, ready to be read.

    :raises RuleError: if RE2 refuses the pattern.
    """
    source = rule.feature.source
    patterns: tuple[Any, ...] = ()
    if source.type == "regex" and source.pattern:
        pattern = utf8(source.pattern)
        patterns = (compile_re2(rule.name, pattern, case_sensitive=source.case_sensitive),)
    elif source.type == "keyword_set":
        patterns = tuple(
            Sought.of(keyword if source.case_sensitive else keyword.lower())
            for keyword in source.keywords
            if keyword
        )
    feature, predicate = rule.feature.type, rule.predicate
    return StructureSignal(rule.name, reach, feature, source, predicate, patterns, rule.source)


_NEEDED = {"regex": "pattern", "keyword_set": "keywords", "sequence": "sequences"}


def _check(rule: StructureRule, place: Place) -> None:
    problems, source = place.problems, rule.feature.source
    key = _NEEDED.get(source.type)
    if key and not getattr(source, key) and not problems.broken(place.at("feature", "source", key)):
        what = f"a source of type {source.type} needs {key}"
        problems.error(place.at("feature", "source"), what)
    if source.type == "regex" and source.pattern:
        check_pattern(problems, place.at("feature", "source", "pattern"), source.pattern)
    check_predicate(problems, place.at("predicate"), rule.predicate)


ENTRY = SignalType(
    name="structure",
    section="structure",
    rule=StructureRule,
    check=_check,
    scope="full",
    compile=lambda rule, making: compile_structure(rule, making.reach),
    header="structure",
)
