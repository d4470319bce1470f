"""`complexity`: nearer to the hard examples, to the easy ones, or to neither.

Why this file exists: one rule answers three leaves, `rule:hard`, `rule:medium` and `rule:easy`. It
must not know how embeddings are made.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

from srd.config.base import Part, Word
from srd.config.rules import RuleNode
from srd.signals.base import UNKNOWN, Evidence, Reach, Reading, Truth
from srd.signals.composer import Composer
from srd.signals.entry import Making, Rule, SignalType
from srd.signals.prototypes import PrototypeBank
from srd.signals.readings import FALSE, is_blank, is_final, yes_or_no

Level = Literal["hard", "medium", "easy"]
LEVELS: tuple[Level, ...] = get_args(Level)


class Candidates(Part, frozen=True, kw_only=True):
    """Prototypes of one side of a complexity rule."""

    candidates: tuple[Word, ...] = ()
    image_candidates: tuple[str, ...] = ()


class ComplexityRule(Rule, frozen=True, kw_only=True):
    """Hard, easy or medium; a leaf names `rule:level`. `composer` must hold for it to count."""

    threshold: float = 0.0
    hard: Candidates = msgspec.field(default_factory=Candidates)
    easy: Candidates = msgspec.field(default_factory=Candidates)
    composer: RuleNode | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ComplexitySignal:
    """One level of one rule.

    margin = score against the hard prototypes - score against the easy ones; over the threshold is
    hard, under its negative easy, else medium (as upstream). A side without examples
    scores 0. `score` is the margin, `confidence` its size.
    """

    rule: str
    level: Level
    reach: Reach
    threshold: float
    hard: PrototypeBank
    easy: PrototypeBank
    composer: Composer | None = None
    type: str = "complexity"

    @property
    def name(self) -> str:
        """As a leaf writes it: `rule:level`."""
        return f"{self.rule}:{self.level}"

    @property
    def heads(self) -> frozenset[str]:
        """The embedding, and whatever the composer's signals need."""
        composed = self.composer.signals.values() if self.composer else ()
        return frozenset({"embedding"}).union(*(signal.heads for signal in composed))

    def read(self, evidence: Evidence) -> Reading:
        """Answers only when no more text will come: similarity is no probability."""
        if not is_final(self.reach, evidence):
            return UNKNOWN
        if is_blank(self.reach, evidence):
            return FALSE
        embedding = evidence.scores.embedding if evidence.scores else None
        hard, easy = self.hard.score(embedding), self.easy.score(embedding)
        if hard is None and easy is None:
            return UNKNOWN
        margin = (hard or 0.0) - (easy or 0.0)
        reading = yes_or_no(self._level(margin) == self.level, min(1.0, abs(margin)), margin)
        if reading.value is Truth.FALSE or self.composer is None:
            return reading
        holds = self.composer.holds(evidence)
        if holds is Truth.TRUE:
            return reading
        return UNKNOWN if holds is Truth.UNKNOWN else Reading(Truth.FALSE, 1.0, margin)

    def _level(self, margin: float) -> Level:
        if margin > self.threshold:
            return "hard"
        return "easy" if margin < -self.threshold else "medium"

    def __repr__(self) -> str:
        return f"<complexity:{self.name} at {self.threshold}>"


def _composer(rule: ComplexityRule, making: Making[ComplexityRule]) -> Composer | None:
    tree = rule.composer
    return None if tree is None else Composer(tree, making.signals_of(tree))


def _compile(rule: ComplexityRule, making: Making[ComplexityRule]) -> ComplexitySignal | None:
    level = next((level for level in LEVELS if level == making.answer), None)
    if level is None:
        return None
    return ComplexitySignal(
        rule.name,
        level,
        making.reach,
        rule.threshold,
        making.shop.bank(rule.hard.candidates),
        making.shop.bank(rule.easy.candidates),
        _composer(rule, making),
    )


ENTRY = SignalType(
    name="complexity",
    section="complexity",
    rule=ComplexityRule,
    answers=LEVELS,
    composer=lambda rule: rule.composer,
    heads=lambda rule: frozenset({"embedding"}),
    compile=_compile,
    header="complexity",
)
