"""`embedding`: prompts that mean something like the rule's candidates.

Why this file exists: rules of this type compete (soft matching, top_k), so each needs to know the
scores of all. It must not know how embeddings are made.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from srd.signals.base import UNKNOWN, Evidence, Reading, Scope
from srd.signals.prototypes import PrototypeBank
from srd.signals.readings import FALSE, is_blank, is_final, yes_or_no


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
    scope: Scope
    contest: EmbeddingContest
    type: str = "embedding"
    heads: frozenset[str] = frozenset({"embedding"})

    def read(self, evidence: Evidence) -> Reading:
        """`confidence` and `score` are the prototype score."""
        if not is_final(self.scope, evidence):
            return UNKNOWN
        if is_blank(self.scope, evidence):
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
