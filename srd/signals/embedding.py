"""`embedding`: prompts that mean something like the rule's candidates.

Why this file exists: rules of this type compete (soft matching, top_k), so each needs to know the
scores of all. It must not know how embeddings are made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from srd.config.base import Word
from srd.signals.base import UNKNOWN, Evidence, Reach, Reading
from srd.signals.entry import Making, Rule, SignalType
from srd.signals.prototypes import PrototypeBank
from srd.signals.readings import FALSE, is_blank, is_final, yes_or_no


class EmbeddingRule(Rule, frozen=True, kw_only=True):
    """Similar to one of the candidates."""

    threshold: float = 0.0
    candidates: tuple[Word, ...] = ()
    aggregation_method: Literal["", "mean", "max", "any"] = ""
    query_modality: Literal["", "text", "image", "audio"] = ""


@dataclass(frozen=True, slots=True)
class EmbeddingRival:
    """One declared rule: its name, threshold and prototypes."""

    name: str
    threshold: float
    bank: PrototypeBank


@dataclass(frozen=True, slots=True, repr=False)
class EmbeddingContest:
    """All declared text rules and upstream's policy (section 1.16).

    Every rule that reaches its own threshold; if none does and soft matching is on, every rule that
    reaches `min_score`; of those the `top_k` best, 0 for all.
    """

    rivals: tuple[EmbeddingRival, ...]
    top_k: int = 1
    min_score: float = 0.5
    soft: bool = True

    def scores(self, embedding: Sequence[float]) -> dict[str, float]:
        """Rule name -> prototype score, for rules that have prototypes of that size."""
        scored = ((rival.name, rival.bank.score(embedding)) for rival in self.rivals)
        return {name: score for name, score in scored if score is not None}

    def winners(self, scores: dict[str, float]) -> list[str]:
        """Names that match, best first, ties by name."""
        thresholds = {rival.name: rival.threshold for rival in self.rivals}
        matched = [name for name, score in scores.items() if score >= thresholds[name]]
        if not matched and self.soft:
            matched = [name for name, score in scores.items() if score >= self.min_score]
        matched.sort(key=lambda name: (-scores[name], name))
        return matched[: self.top_k] if self.top_k else matched

    def __repr__(self) -> str:
        return f"<EmbeddingContest of {len(self.rivals)} top_k={self.top_k}>"


@dataclass(frozen=True, slots=True, repr=False)
class EmbeddingSignal:
    """One rule's part in the contest.

    Similarity is no probability, so it answers only when no more text will come.
    """

    name: str
    reach: Reach
    contest: EmbeddingContest
    type: str = "embedding"
    heads: frozenset[str] = frozenset({"embedding"})

    def read(self, evidence: Evidence) -> Reading:
        """`confidence` and `score` are the prototype score."""
        if not is_final(self.reach, evidence):
            return UNKNOWN
        if is_blank(self.reach, evidence):
            return FALSE
        embedding = evidence.scores.embedding if evidence.scores else None
        if embedding is None:
            return UNKNOWN
        scores = self.contest.scores(embedding)
        score = scores.get(self.name)
        if score is None:
            return UNKNOWN
        matched = self.name in self.contest.winners(scores)
        return yes_or_no(matched, min(1.0, max(0.0, score)), score, self.name)

    def __repr__(self) -> str:
        return f"<embedding:{self.name} in {self.contest!r}>"


def _reads_text(rule: EmbeddingRule) -> bool:
    """False for rules over images and audio, which srd cannot embed."""
    return rule.query_modality in ("", "text")


def _contest(making: Making[EmbeddingRule]) -> EmbeddingContest:
    """Every declared rule over text, used by a decision or not: they compete."""
    config, bank = making.shop.embedding, making.shop.bank
    rivals = tuple(
        EmbeddingRival(r.name, r.threshold, bank(r.candidates, r.aggregation_method))
        for r in making.rules
        if _reads_text(r)
    )
    return EmbeddingContest(
        rivals, config.top_k, config.min_score_threshold, config.enable_soft_matching
    )


def _compile(rule: EmbeddingRule, making: Making[EmbeddingRule]) -> EmbeddingSignal:
    contest = making.shop.once("embedding", lambda: _contest(making))
    return EmbeddingSignal(rule.name, making.reach, contest)


def _missing(rule: EmbeddingRule) -> Iterator[tuple[str, str]]:
    if not _reads_text(rule):
        yield "embeddings of images and audio", "query_modality"


ENTRY = SignalType(
    name="embedding",
    section="embeddings",
    rule=EmbeddingRule,
    missing=_missing,
    heads=lambda rule: frozenset({"embedding"}),
    readable=_reads_text,
    compile=_compile,
    header="embeddings",
)
