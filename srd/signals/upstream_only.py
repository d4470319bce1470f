"""Signal types that upstream has and srd does not evaluate: their rules load, and never match.

Why this file exists: a document that uses one must load, be checked and be warned about. The type
that srd learns to evaluate moves into a module of its own. It must not know documents beyond what
`projections` declares.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from srd.config.base import Fraction, Name, Part, Positive, Word
from srd.signals.entry import Rule, SignalType

if TYPE_CHECKING:
    from srd.config.document import Document


class FactCheckRule(Rule, frozen=True, kw_only=True):
    """Whether an answer needs checking."""

    name: Literal["needs_fact_check", "no_fact_check_needed"]


class UserFeedbackRule(Rule, frozen=True, kw_only=True):
    """What the user thinks of the previous answer."""

    name: Literal["satisfied", "need_clarification", "wrong_answer", "want_different"]


class ReaskRule(Rule, frozen=True, kw_only=True):
    """The user asks the same again."""

    threshold: Fraction = 0.8
    lookback_turns: Positive = 1


class PreferenceRule(Rule, frozen=True, kw_only=True):
    """A wish about the manner of the answer."""

    examples: tuple[Word, ...] = ()
    threshold: Fraction | None = None


class ModalityRule(Rule, frozen=True, kw_only=True):
    """Text, image, or both."""

    name: Literal["AR", "DIFFUSION", "BOTH"]


class KbTarget(Part, frozen=True, kw_only=True):
    """A label or a group of a knowledge base."""

    kind: Literal["label", "group"]
    value: Name


class KbRule(Rule, frozen=True, kw_only=True):
    """Nearest exemplars of a knowledge base."""

    kb: Name
    target: KbTarget | None = None
    match: Literal["", "best", "threshold"] = ""


class ClassifierRule(Rule, frozen=True, kw_only=True):
    """A text classifier of the operator's own."""

    type: Literal["local", "llm"]
    model: str = ""
    model_path: str = ""
    labels: tuple[Word, ...] = ()
    instructions: str = ""
    use_cpu: bool = True


def _outputs(document: "Document") -> Iterator[str]:
    """The names that projections give, which leaves of type projection refer to."""
    for mapping in document.routing.projections.mappings:
        outputs = mapping.get("outputs")
        for output in outputs if isinstance(outputs, tuple) else ():
            if isinstance(output, dict):
                yield str(output.get("name", ""))


FACT_CHECK = SignalType(
    name="fact_check",
    section="fact_check",
    rule=FactCheckRule,
    scope="full",
    header="fact-check",
)
USER_FEEDBACK = SignalType(
    name="user_feedback",
    section="user_feedbacks",
    rule=UserFeedbackRule,
    scope="full",
    header="user-feedback",
)
REASK = SignalType(
    name="reask",
    section="reasks",
    rule=ReaskRule,
    scope="full",
    header="reask",
)
PREFERENCE = SignalType(
    name="preference",
    section="preferences",
    rule=PreferenceRule,
    header="preference",
)
MODALITY = SignalType(
    name="modality",
    section="modality",
    rule=ModalityRule,
    header="modality",
)
KB = SignalType(
    name="kb",
    section="kb",
    rule=KbRule,
    header="kb",
)
CLASSIFIER = SignalType(
    name="classifier",
    section="classifiers",
    rule=ClassifierRule,
    labels=lambda rule: rule.labels,
    guards=True,
)
PROJECTION = SignalType(
    name="projection",
    section="",
    rule=Rule,
    elsewhere="routing.projections",
    names=_outputs,
    scope="full",
    header="projections",
)
