"""`language`: the language that a prompt is written in.

Why this file exists: one detector, loaded by the first rule that needs it and never otherwise (its
model takes about 0.7 s and 90 MB). It must not know what a language leads to.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from srd.config.base import Fraction
from srd.signals.base import UNKNOWN, Evidence, Reach, Reading
from srd.signals.entry import Making, Rule, SignalType, Source
from srd.signals.readings import is_final, is_open, said, yes_or_no
from srd.signals.text import excerpt, utf8

#: (code, confidence); ("", 0) when the text gives no clue.
Detector = Callable[[str], tuple[str, float]]

#: Under this the detector is guessing, and English is assumed (as upstream).
RELIABLE = 0.3
ASSUMED = ("en", 0.5)

_NOT_A_LANGUAGE = frozenset({"und", "zxx", ""})

# The macrolanguages of ISO 639-3 and their members, by the registration authority's table
# (https://iso639-3.sil.org, "Macrolanguage Mappings"), as far as a rule can name the one and a
# detector returns the other.
_MEMBERS = {
    "ak": "fat tw twi",
    "ar": "aao abh abv acm acq acw acx acy adf aeb aec afb apc apd arb arq ars ary arz auz avl ayh"
    " ayl ayn ayp pga shu ssh",
    "az": "azb azj",
    "bik": "bcl bhk bln bto cts fbl lbl rbl ubl",
    "et": "ekk vro",
    "fa": "pes prs",
    "ff": "ffm fub fuc fue fuf fuh fui fuq fuv",
    "gn": "gnw gug gui gun nhd",
    "kok": "gom knn",
    "ku": "ckb kmr sdh",
    "lv": "ltg lvs",
    "mg": "plt",
    "mn": "khk mvf",
    "ms": "bjn id ind max meo min zlm zmi zsm",
    "ne": "dty npi",
    "no": "nb nn nno nob",
    "om": "gax gaz hae orc",
    "or": "ory spv",
    "ps": "pbt pbu pst",
    "qu": "quy quz qvi",
    "sc": "sdc sdn src sro",
    "sh": "bos bs cnr hr hrv sr srp",
    "sq": "aae aat aln als",
    "sw": "swc swh",
    "uz": "uzn uzs",
    "yi": "ydd yih",
    "za": "zyb",
    "zh": "cdo cjy cmn cnp cpx csp czh czo gan hak hsn lzh mnp nan wuu yue",
}
_MACRO = {member: macro for macro, members in _MEMBERS.items() for member in members.split()}
#: What a detector says for a language that a rule names otherwise: Bokmal is all of its "no", and
#: "kik" has a code of two letters.
_SAID_AS = {"nb": "no", "ki": "kik"}


def counts_as(code: str, name: str) -> bool:
    """True when a text in `code` is one in the language `name`: itself, or its macrolanguage."""
    return code == _SAID_AS.get(name, name) or (code != "" and _MACRO.get(code) == name)


class LanguageRule(Rule, frozen=True, kw_only=True):
    """`name` is the ISO 639-1 code to match. Threshold 0 means upstream's built-in 0.3.

    `source` is ours.
    """

    threshold: Fraction = 0.0
    source: Source = ""


def detect(text: str) -> tuple[str, float]:
    """Language and confidence of at most 2048 characters, by py3langid; deterministic.

    Varieties that ISO 639-1 has no code for count together with their macrolanguage: half of a
    Chinese sentence's probability may be with Cantonese and Wu. The code is the likeliest one's.
    """
    if not text.strip():
        return "", 0.0
    families: dict[str, float] = {}
    likeliest: dict[str, str] = {}
    for code, probability in _identifier()(utf8(excerpt(text))):  # in falling order
        family = _MACRO.get(code, code) if len(code) > 2 else code
        families[family] = families.get(family, 0.0) + float(probability)
        likeliest.setdefault(family, str(code))
    best = max(families, key=lambda family: families[family])
    code = likeliest[best]
    return ("", 0.0) if code in _NOT_A_LANGUAGE else (code, min(1.0, families[best]))


def prepare() -> None:
    """Load the detector now rather than with the first request.

    :raises ImportError: if py3langid is not installed.
    """
    _identifier()


@functools.cache
def _identifier() -> Callable[[bytes], Sequence[tuple[str, float]]]:
    from py3langid.langid import (  # type: ignore[import-untyped]
        MODEL_FILE,
        LanguageIdentifier,
    )

    rank: Callable[[bytes], Sequence[tuple[str, float]]] = LanguageIdentifier.from_model_file(
        MODEL_FILE, norm_probs=True
    ).rank
    return rank


@dataclass(frozen=True, slots=True, repr=False)
class LanguageSignal:
    """True when the detected code counts as the rule's name and is sure enough.

    It counts when it is the name or the name is its macrolanguage: "zh" is Cantonese and Wu, too,
    "ar" every variety of Arabic, "no" both written forms. The reverse holds for none.

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
        matched = counts_as(code, self.name.lower()) and confidence >= self.threshold
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
