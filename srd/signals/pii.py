"""`pii`: personal data of a type that the rule does not allow.

Why this file exists: spans come from the classifier, what is done about which type is the rule's.
It must not know how spans are found.
"""

from dataclasses import dataclass

from srd.classify.api import PiiSpan
from srd.config.base import Fraction
from srd.signals.base import UNKNOWN, Evidence, Origin, Reach, Reading, Truth
from srd.signals.entry import Making, Rule, SignalType
from srd.signals.readings import FALSE, is_blank, is_final, is_open, origins_of, segment_scores

_NO_PII = "NO_PII"


class PiiRule(Rule, frozen=True, kw_only=True):
    """Personal data of any type that is not allowed. `threshold` None means the model's own.

    `include_tools` is ours. Both inclusions are of scope full.
    """

    threshold: Fraction | None = None
    pii_types_allowed: tuple[str, ...] = ()
    include_history: bool = False
    include_tools: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class PiiSignal:
    """True when any span reaches the threshold and its type is not allowed.

    Of a window the deciding text is read; beyond it, every segment of `origins` by itself. Before
    the end (scope window only) a span needs `early_confidence`; false it is only when no more text
    will come. `detail` names types, never what they hide.
    """

    name: str
    reach: Reach
    threshold: float
    allowed: frozenset[str]  # upper case
    early_confidence: float
    origins: frozenset[Origin] = frozenset({Origin.LAST})
    type: str = "pii"
    heads: frozenset[str] = frozenset({"pii"})

    def read(self, evidence: Evidence) -> Reading:
        """`confidence` and `score` are the surest forbidden span's."""
        if not is_open(self.reach, evidence):
            return UNKNOWN
        final = is_final(self.reach, evidence)
        answers = self._answers(evidence)
        enough = self.threshold if final else max(self.threshold, self.early_confidence)
        hits = [s for spans in answers for s in spans or () if self._is_forbidden(s, enough)]
        if hits:
            surest = max(span.confidence for span in hits)
            types = ", ".join(sorted({span.label for span in hits}))
            return Reading(Truth.TRUE, min(1.0, surest), surest, types)
        return FALSE if final and None not in answers else UNKNOWN

    def _answers(self, evidence: Evidence) -> list[tuple[PiiSpan, ...] | None]:
        """The spans of each text that counts, None where the classifier's answer is out."""
        if self.reach is not Reach.WINDOW:
            scored = segment_scores(self.origins, evidence)
            return [scores.pii if scores else None for scores in scored]
        if is_blank(self.reach, evidence):
            return []
        return [evidence.scores.pii if evidence.scores else None]

    def _is_forbidden(self, span: PiiSpan, enough: float) -> bool:
        label = span.label.upper()
        return span.confidence >= enough and label != _NO_PII and label not in self.allowed

    def __repr__(self) -> str:
        return f"<pii:{self.name} at {self.threshold} allows {len(self.allowed)} types>"


def _reach(rule: PiiRule) -> Reach:
    """Systems and tools may stand behind the turns."""
    return Reach.BODY if rule.include_history or rule.include_tools else Reach.TURNS


def _compile(rule: PiiRule, making: Making[PiiRule]) -> PiiSignal:
    return PiiSignal(
        rule.name,
        making.reach,
        rule.threshold or making.shop.modules.classifier.pii.threshold,
        frozenset(allowed.upper() for allowed in rule.pii_types_allowed),
        making.shop.early,
        origins_of(
            blocking=making.blocking, history=rule.include_history, tools=rule.include_tools
        ),
    )


ENTRY = SignalType(
    name="pii",
    section="pii",
    rule=PiiRule,
    scope="full",
    reach=_reach,
    heads=lambda rule: frozenset({"pii"}),
    module="classifier.pii",
    compile=_compile,
    guards=True,
    header="pii",
)
