"""`pii`: personal data of a type that the rule does not allow.

Why this file exists: spans come from the classifier, what is done about which type is the rule's.
It must not know how spans are found.
"""

from dataclasses import dataclass

from srd.classify.api import PiiSpan
from srd.signals.base import UNKNOWN, Evidence, Reading, Scope, Truth
from srd.signals.readings import FALSE, history_text, is_blank, is_final, is_open

_NO_PII = "NO_PII"


@dataclass(frozen=True, slots=True, repr=False)
class PiiSignal:
    """True when any span reaches the threshold and its type is not allowed.

    With `include_history` the other messages count too. Before the end (scope window only) a span
    needs `early_confidence`; false it is only when no more text will come. `detail` names types,
    never what they hide.
    """

    name: str
    scope: Scope
    threshold: float
    allowed: frozenset[str]  # upper case
    early_confidence: float
    include_history: bool = False
    type: str = "pii"
    heads: frozenset[str] = frozenset({"pii"})

    def read(self, evidence: Evidence) -> Reading:
        """`confidence` and `score` are the surest forbidden span's."""
        if not is_open(self.scope, evidence):
            return UNKNOWN
        final = is_final(self.scope, evidence)
        needed = [] if is_blank(self.scope, evidence) else [evidence.scores]
        if self.include_history and history_text(evidence):
            needed.append(evidence.history_scores)
        answers = [scores.pii if scores else None for scores in needed]
        enough = self.threshold if final else max(self.threshold, self.early_confidence)
        hits = [s for spans in answers for s in spans or () if self._is_forbidden(s, enough)]
        if hits:
            surest = max(span.confidence for span in hits)
            types = ", ".join(sorted({span.label for span in hits}))
            return Reading(Truth.TRUE, min(1.0, surest), surest, types)
        return FALSE if final and None not in answers else UNKNOWN

    def _is_forbidden(self, span: PiiSpan, enough: float) -> bool:
        label = span.label.upper()
        return span.confidence >= enough and label != _NO_PII and label not in self.allowed

    def __repr__(self) -> str:
        return f"<pii:{self.name} at {self.threshold} allows {len(self.allowed)} types>"
