"""`complexity`: nearer to the hard examples, to the easy ones, or to neither.

Why this file exists: one rule answers three leaves, `rule:hard`, `rule:medium` and `rule:easy`. It
must not know how embeddings are made.
"""

from dataclasses import dataclass
from typing import Literal

from srd.signals.base import UNKNOWN, Evidence, Reading, Scope, Truth
from srd.signals.composer import Composer
from srd.signals.prototypes import PrototypeBank
from srd.signals.readings import FALSE, is_blank, is_final, yes_or_no

Level = Literal["hard", "medium", "easy"]
LEVELS: tuple[Level, ...] = ("hard", "medium", "easy")


@dataclass(frozen=True, slots=True, repr=False)
class ComplexitySignal:
    """One level of one rule.

    margin = score against the hard prototypes - score against the easy ones; over the threshold is
    hard, under its negative easy, else medium (as upstream). A side without examples
    scores 0. `score` is the margin, `confidence` its size.
    """

    rule: str
    level: Level
    scope: Scope
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
        if not is_final(self.scope, evidence):
            return UNKNOWN
        if is_blank(self.scope, evidence):
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
