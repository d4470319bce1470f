"""`language`: the language that a prompt is written in.

Why this file exists: one detector, loaded by the first rule that needs it and never otherwise (its
model takes about 0.7 s and 90 MB). It must not know what a language leads to.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

from srd.config.base import Fraction
from srd.signals.base import UNKNOWN, Evidence, Reach, Reading
from srd.signals.entry import Making, Rule, SignalType, Source
from srd.signals.readings import is_final, is_open, said, yes_or_no
from srd.signals.text import excerpt, utf8

#: (ISO 639-1 code, confidence); ("", 0) when the text gives no clue.
Detector = Callable[[str], tuple[str, float]]

#: Under this the detector is guessing, and English is assumed (as upstream).
RELIABLE = 0.3
ASSUMED = ("en", 0.5)

_NOT_A_LANGUAGE = frozenset({"und", "zxx", ""})


class LanguageRule(Rule, frozen=True, kw_only=True):
    """`name` is the ISO 639-1 code to match. Threshold 0 means upstream's built-in 0.3.

    `source` is ours.
    """

    threshold: Fraction = 0.0
    source: Source = ""


def detect(text: str) -> tuple[str, float]:
    """Language and confidence of at most 2048 characters, by py3langid; deterministic."""
    if not text.strip():
        return "", 0.0
    code, confidence = _identifier()(utf8(excerpt(text)))
    return ("", 0.0) if code in _NOT_A_LANGUAGE else (str(code), float(confidence))


def prepare() -> None:
    """Load the detector now rather than with the first request.

    :raises ImportError: if py3langid is not installed.
    """
    _identifier()


@functools.cache
def _identifier() -> Callable[[bytes], tuple[str, float]]:
    from py3langid.langid import (  # type: ignore[import-untyped]
        MODEL_FILE,
        LanguageIdentifier,
    )

    classify: Callable[[bytes], tuple[str, float]] = LanguageIdentifier.from_model_file(
        MODEL_FILE, norm_probs=True
    ).classify
    return classify


@dataclass(frozen=True, slots=True, repr=False)
class LanguageSignal:
    """True when the detected code is the rule's name and sure enough.

    Before the window is full a detection needs `early_confidence`, for yes and for no.
    """

    name: str
    reach: Reach
    threshold: float
    early_confidence: float
    detector: Detector = field(default=detect, compare=False)
    source: Source = ""
    type: str = "language"
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        """`confidence` and `score` are the detector's, `detail` is the code."""
        if not is_open(self.reach, evidence):
            return UNKNOWN
        code, confidence = self.detector(said(self.source, evidence))
        if not is_final(self.reach, evidence) and confidence < self.early_confidence:
            return UNKNOWN
        if confidence < RELIABLE:
            code, confidence = ASSUMED
        matched = code == self.name.lower() and confidence >= self.threshold
        return yes_or_no(matched, confidence, confidence, code)

    def __repr__(self) -> str:
        return f"<language:{self.name} at {self.threshold}>"


def _compile(rule: LanguageRule, making: Making[LanguageRule]) -> LanguageSignal:
    prepare()
    return LanguageSignal(
        rule.name, making.reach, rule.threshold, making.shop.early, source=rule.source
    )


ENTRY = SignalType(
    name="language",
    section="language",
    rule=LanguageRule,
    compile=_compile,
    header="language",
)
