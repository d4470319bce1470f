"""`jailbreak`: attempts to talk a model out of its rules.

Why this file exists: two methods, one signal type: the jailbreak head's risk, or nearness to attack
patterns against benign ones. It must not know how either is computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from srd.classify.api import Scores
from srd.signals.base import UNKNOWN, Evidence, Reading, Scope, Truth
from srd.signals.prototypes import PrototypeBank
from srd.signals.readings import FALSE, history_text, is_blank, is_final, is_open


@dataclass(frozen=True, slots=True, repr=False)
class JailbreakSignal:
    """Risk by the jailbreak head, or by patterns where `attacks` is given.

    Contrastive risk = nearest attack - nearest benign pattern. With `include_history` the other
    messages count too: by the head all of them, by patterns as much as one embedding reads. Before
    the end (scope window only) a risk of `early_confidence` is enough to be true; false it is only
    when no more text will come.
    """

    name: str
    scope: Scope
    threshold: float
    early_confidence: float
    include_history: bool = False
    attacks: PrototypeBank | None = None
    benign: PrototypeBank | None = None
    type: str = "jailbreak"

    @property
    def heads(self) -> frozenset[str]:
        """What the method needs."""
        return frozenset({"jailbreak" if self.attacks is None else "embedding"})

    def read(self, evidence: Evidence) -> Reading:
        """`confidence` and `score` are the risk."""
        if not is_open(self.scope, evidence):
            return UNKNOWN
        final = is_final(self.scope, evidence)
        risks = self._risks(evidence)
        known = [risk for risk in risks if risk is not None]
        worst = max(known, default=0.0)
        enough = self.threshold if final else max(self.threshold, self.early_confidence)
        if known and worst >= enough and (final or self.attacks is None):
            return Reading(Truth.TRUE, min(1.0, max(0.0, worst)), worst, self._method)
        if not final or None in risks:
            return UNKNOWN
        return Reading(Truth.FALSE, 1.0, worst) if known else FALSE

    @property
    def _method(self) -> str:
        return "classifier" if self.attacks is None else "contrastive"

    def _risks(self, evidence: Evidence) -> Sequence[float | None]:
        """One risk for each text that counts, None where the classifier's answer is out."""
        risks = [] if is_blank(self.scope, evidence) else [self._risk(evidence.scores)]
        if self.include_history and history_text(evidence):
            risks.append(self._risk(evidence.history_scores))
        return risks

    def _risk(self, scores: Scores | None) -> float | None:
        if scores is None or self.attacks is None:
            return scores.jailbreak if scores else None
        attack = self.attacks.best(scores.embedding)
        if attack is None:
            return None
        return attack - ((self.benign.best(scores.embedding) if self.benign else None) or 0.0)

    def __repr__(self) -> str:
        return f"<jailbreak:{self.name} {self._method} at {self.threshold}>"
