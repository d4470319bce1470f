"""`jailbreak`: attempts to talk a model out of its rules.

Why this file exists: two methods, one signal type: the jailbreak head's risk, or nearness to attack
patterns against benign ones. It must not know how either is computed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from srd.classify.api import Scores
from srd.config.base import Fraction, Word
from srd.signals.base import UNKNOWN, Evidence, Origin, Reach, Reading, Truth
from srd.signals.entry import Making, Rule, SignalType
from srd.signals.prototypes import PrototypeBank
from srd.signals.readings import FALSE, is_blank, is_final, is_open, origins_of, segment_scores

#: Contrastive rules that name no threshold (as upstream).
_CONTRASTIVE_THRESHOLD = 0.1


class JailbreakRule(Rule, frozen=True, kw_only=True):
    """Attacks on the model's rules. `threshold` None means the guard's own.

    `include_tools` is ours. Both inclusions are of scope full and `method: classifier`.
    """

    method: Literal["", "classifier", "contrastive"] = ""
    threshold: Fraction | None = None
    include_history: bool = False
    include_tools: bool = False
    jailbreak_patterns: tuple[Word, ...] = ()
    benign_patterns: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class JailbreakSignal:
    """Risk by the jailbreak head, or by patterns where `attacks` is given.

    Of a window the head reads the deciding text; beyond it, every segment of `origins` by itself,
    and the greatest risk counts. Contrastive risk = nearest attack - nearest benign pattern, by the
    embedding of the deciding text alone. Before the end (scope window only) a risk of
    `early_confidence` is enough to be true; false it is only when no more text will come.
    """

    name: str
    reach: Reach
    threshold: float
    early_confidence: float
    origins: frozenset[Origin] = frozenset({Origin.LAST})
    attacks: PrototypeBank | None = None
    benign: PrototypeBank | None = None
    type: str = "jailbreak"

    @property
    def heads(self) -> frozenset[str]:
        """What the method needs."""
        return frozenset({"jailbreak" if self.attacks is None else "embedding"})

    def read(self, evidence: Evidence) -> Reading:
        """`confidence` and `score` are the risk."""
        if not is_open(self.reach, evidence):
            return UNKNOWN
        final = is_final(self.reach, evidence)
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
        if self.attacks is None and (self.reach is not Reach.WINDOW or evidence.segments):
            scored = segment_scores(self.origins, evidence)
            return [scores.jailbreak if scores else None for scores in scored]
        return [] if is_blank(self.reach, evidence) else [self._risk(evidence.scores)]

    def _risk(self, scores: Scores | None) -> float | None:
        if scores is None or self.attacks is None:
            return scores.jailbreak if scores else None
        attack = self.attacks.best(scores.embedding)
        if attack is None:
            return None
        return attack - ((self.benign.best(scores.embedding) if self.benign else None) or 0.0)

    def __repr__(self) -> str:
        return f"<jailbreak:{self.name} {self._method} at {self.threshold}>"


def _heads(rule: JailbreakRule) -> frozenset[str]:
    return frozenset({"embedding" if rule.method == "contrastive" else "jailbreak"})


def _reach(rule: JailbreakRule) -> Reach:
    """Systems and tools may stand behind the turns."""
    wide = rule.include_history or rule.include_tools
    return Reach.BODY if wide and rule.method != "contrastive" else Reach.TURNS


def _missing(rule: JailbreakRule) -> Iterator[tuple[str, str]]:
    for key in ("include_history", "include_tools"):
        if getattr(rule, key) and rule.method == "contrastive":
            yield f"{key} of contrastive jailbreak rules", key


def _threshold(rule: JailbreakRule, guard: float) -> float:
    return rule.threshold or (_CONTRASTIVE_THRESHOLD if rule.method == "contrastive" else guard)


def _compile(rule: JailbreakRule, making: Making[JailbreakRule]) -> JailbreakSignal:
    is_contrastive = rule.method == "contrastive"
    bank = making.shop.bank
    return JailbreakSignal(
        rule.name,
        making.reach,
        _threshold(rule, making.shop.modules.prompt_guard.threshold),
        making.shop.early,
        origins_of(
            blocking=making.blocking, history=rule.include_history, tools=rule.include_tools
        ),
        bank(rule.jailbreak_patterns) if is_contrastive else None,
        bank(rule.benign_patterns) if is_contrastive else None,
    )


ENTRY = SignalType(
    name="jailbreak",
    section="jailbreak",
    rule=JailbreakRule,
    scope="full",
    reach=_reach,
    missing=_missing,
    heads=_heads,
    module="prompt_guard",
    compile=_compile,
    guards=True,
    header="jailbreak",
)
