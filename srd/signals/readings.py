"""When a signal may answer, and the answers that all of them share.

Why this file exists: reach, settledness, whose words count and the want of scores mean the same for
every signal type. It must not know any of the types.
"""

from collections.abc import Iterator

from srd.classify.api import SegmentScores
from srd.signals.base import Evidence, Origin, Reach, Reading, Segment, Truth

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


def is_blank(reach: Reach, evidence: Evidence, source: str = "") -> bool:
    """True when there is finally no text: nothing for a learned signal to judge."""
    return is_final(reach, evidence) and not said(source, evidence).strip()


def yes_or_no(matched: bool, confidence: float, score: float | None, detail: str = "") -> Reading:
    """A two-valued reading that keeps its measure either way."""
    if matched:
        return Reading(Truth.TRUE, confidence, score, detail)
    return Reading(Truth.FALSE, 1.0, score)


def said(source: str, evidence: Evidence) -> str:
    """The deciding text: as the human wrote it, or for `source: raw` as the backend reads it."""
    return (evidence.raw or evidence.text) if source == "raw" else evidence.text


def origins_of(*, blocking: bool, history: bool, tools: bool) -> frozenset[Origin]:
    """Whose segments a rule over segments reads.

    The deciding message always; under a blocking decision whatever a backend may take for the
    user's; with `include_history` and `include_tools` those too.
    """
    found = {Origin.LAST}
    if blocking:
        found |= {Origin.PRIOR, Origin.OTHER, Origin.REPEATED}
    if history:
        found |= {Origin.PRIOR, Origin.HISTORY}
    if tools:
        found.add(Origin.TOOLS)
    return frozenset(found)


def segments(origins: frozenset[Origin], evidence: Evidence) -> Iterator[Segment]:
    """The segments of these origins that hold any text."""
    return (one for one in evidence.segments if one.origin in origins and one.text.strip())


def segment_scores(origins: frozenset[Origin], evidence: Evidence) -> list[SegmentScores | None]:
    """What the classifier says of each of those segments, None while its answer is out."""
    scored = evidence.scores.segments if evidence.scores else ()
    if len(scored) != len(evidence.segments):  # an answer to another question
        return [None for _ in segments(origins, evidence)]
    pairs = zip(evidence.segments, scored, strict=True)
    return [scores for one, scores in pairs if one.origin in origins and one.text.strip()]
