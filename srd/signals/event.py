"""`event`: the words of incidents and operations.

Why this file exists: four lists of words, each one criterion (as upstream). It must not
know what an event leads to.
"""

from dataclasses import dataclass
from typing import Any, Literal

from srd.config.base import Word
from srd.signals.base import UNKNOWN, Evidence, Reach, Reading, Truth
from srd.signals.borders import BEFORE, BEHIND, before_last_word, marked
from srd.signals.entry import Rule, SignalType
from srd.signals.patterns import compile_re2, literal_pattern
from srd.signals.readings import FALSE, is_final, is_open
from srd.signals.text import excerpt

# Upstream's pattern has any character where here `_GAP` is; in a marked text it may have borders.
_GAP = rb"\x1f?.\x1f?"
_TEMPORAL = b"".join(
    (
        BEFORE,
        rb"(?:urgent|immediate|asap|deadline|now|",
        rb"time" + _GAP + rb"sensitive|critical" + _GAP + rb"window)",
        BEHIND,
    )
)


class EventRule(Rule, frozen=True, kw_only=True):
    """Words of incidents and operations."""

    event_types: tuple[Word, ...] = ()
    severities: tuple[Literal["critical", "high", "medium", "low"], ...] = ()
    action_codes: tuple[Word, ...] = ()
    temporal: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class EventSignal:
    """True when any criterion has matched; `confidence` is .5 + .5 x the share that has.

    Of a long text upstream's 2048-character excerpt is read. False only when no more text will
    come; a true answer before that has the confidence of the criteria matched so far.
    """

    name: str
    reach: Reach
    criteria: tuple[tuple[str, Any], ...]  # (what it is called, re2 over bytes)
    type: str = "event"
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        """`score` is the share of criteria matched, `detail` names them."""
        if not is_open(self.reach, evidence):
            return UNKNOWN
        final = is_final(self.reach, evidence)
        data = marked(excerpt(evidence.text if final else before_last_word(evidence.text)))
        matched = [label for label, pattern in self.criteria if pattern.search(data)]
        if matched:
            share = len(matched) / len(self.criteria)
            return Reading(Truth.TRUE, 0.5 + 0.5 * share, share, ", ".join(matched))
        return FALSE if final else UNKNOWN

    def __repr__(self) -> str:
        return f"<event:{self.name} by {', '.join(label for label, _ in self.criteria)}>"


def compile_event(rule: EventRule, reach: Reach) -> EventSignal:
    """The rule, ready to be read. Blank words are skipped, an empty list is no criterion."""
    lists = (
        ("event_type", rule.event_types),
        ("severity", rule.severities),
        ("action_code", rule.action_codes),
    )
    patterns = [(label, _any_word(words)) for label, words in lists]
    patterns.append(("temporal", _TEMPORAL if rule.temporal else b""))
    criteria = tuple(
        (label, compile_re2(rule.name, pattern, case_sensitive=False))
        for label, pattern in patterns
        if pattern
    )
    return EventSignal(rule.name, reach, criteria)


def _any_word(words: tuple[str, ...]) -> bytes:
    return b"|".join(literal_pattern(word.strip()) for word in words if word.strip())


ENTRY = SignalType(
    name="event",
    section="events",
    rule=EventRule,
    scope="full",
    compile=lambda rule, making: compile_event(rule, making.reach),
    header="event",
)
