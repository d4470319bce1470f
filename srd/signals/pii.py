"""`pii`: personal data of a type that the rule does not allow.

Why this file exists: spans come from the classifier, what is done about which type is the rule's.
It must not know how spans are found.
"""

from dataclasses import dataclass

from srd.classify.api import PiiSpan
from srd.config.base import Fraction
from srd.signals.base import UNKNOWN, Evidence, Reach, Reading, Truth
from srd.signals.entry import Making, Rule, SignalType
from srd.signals.readings import FALSE, history_text, is_blank, is_final, is_open

_NO_PII = "NO_PII"


class PiiRule(Rule, frozen=True, kw_only=True):
    """Personal data of any type that is not allowed. `threshold` None means the model's own."""

    threshold: Fraction | None = None
    pii_types_allowed: tuple[str, ...] = ()
    include_history: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class PiiSignal:
    """True when any span reaches the threshold and its type is not allowed.

    With `include_history` the other messages count too. Before the end (scope window only) a span
    needs `early_confidence`; false it is only when no more text will come. `detail` names types,
    never what they hide.
    """

    name: str
    reach: Reach
    threshold: float
    allowed: frozenset[str]  # upper case
    early_confidence: float
    include_history: bool = False
    type: str = "pii"
    heads: frozenset[str] = frozenset({"pii"})

    def read(self, evidence: Evidence) -> Reading:
        """`confidence` and `score` are the surest forbidden span's."""
        if not is_open(self.reach, evidence):
            return UNKNOWN
        final = is_final(self.reach, evidence)
        needed = [] if is_blank(self.reach, evidence) else [evidence.scores]
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


def _compile(rule: PiiRule, making: Making[PiiRule]) -> PiiSignal:
    return PiiSignal(
        rule.name,
        making.reach,
        rule.threshold or making.shop.modules.classifier.pii.threshold,
        frozenset(allowed.upper() for allowed in rule.pii_types_allowed),
        making.shop.early,
        rule.include_history,
    )


ENTRY = SignalType(
    name="pii",
    section="pii",
    rule=PiiRule,
    scope="full",
    reach=lambda rule: Reach.BODY if rule.include_history else Reach.TURNS,
    heads=lambda rule: frozenset({"pii"}),
    module="classifier.pii",
    compile=_compile,
    guards=True,
    header="pii",
)
