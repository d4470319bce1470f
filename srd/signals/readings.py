"""When a signal may answer, and the answers that all of them share.

Why this file exists: reach, settledness and the want of scores mean the same for every signal type.
It must not know any of the types.
"""

from srd.signals.base import Evidence, Reach, Reading, Truth

#: No, whatever bytes may still come.
FALSE = Reading(Truth.FALSE)


class RuleError(ValueError):
    """The document's author: a rule that reads well but cannot be compiled (a bad pattern).

    Raised at start and reload only; the old configuration stays.
    """

    def __init__(self, rule: str, problem: str) -> None:
        super().__init__(f'rule "{rule}": {problem}')
        self.rule = rule
        self.problem = problem


def is_open(reach: Reach, evidence: Evidence) -> bool:
    """True when a signal of this reach may look at the evidence at all.

    Beyond a window it waits, because its text is another one then.
    """
    return reach is Reach.WINDOW or is_final(reach, evidence)


def is_final(reach: Reach, evidence: Evidence) -> bool:
    """True when nothing more will come that a signal of this reach would look at."""
    if reach is Reach.BODY:
        return evidence.whole
    return evidence.turns or (reach is Reach.WINDOW and evidence.settled)


def is_blank(reach: Reach, evidence: Evidence) -> bool:
    """True when there is finally no text: nothing for a learned signal to judge."""
    return is_final(reach, evidence) and not evidence.text.strip()


def yes_or_no(matched: bool, confidence: float, score: float | None, detail: str = "") -> Reading:
    """A two-valued reading that keeps its measure either way."""
    if matched:
        return Reading(Truth.TRUE, confidence, score, detail)
    return Reading(Truth.FALSE, 1.0, score)


def history_text(evidence: Evidence) -> str:
    """Everything said besides the evaluation text, for rules with `include_history`; "" if none."""
    return "\n".join(part for part in (*evidence.non_user, *evidence.prior_user) if part.strip())
