"""Examples condensed into a few prototypes, and how near an embedding comes to them.

Why this file exists: embedding, complexity, contrastive jailbreak rules and domains by example all
measure the same way (as upstream). It must not know rules, thresholds or classifiers.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from srd.signals import arrays as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PrototypeOptions:
    """Upstream's `prototype_scoring`; `top_m` 0 means all prototypes."""

    enabled: bool = True
    cluster_similarity: float = 0.9
    max_prototypes: int = 8
    best_weight: float = 0.75
    top_m: int = 2


#: `aggregation_method: mean`: the plain average over all prototypes.
MEAN = (0.0, 0)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class PrototypeBank:
    """L2-normalised prototypes, one a row; empty when there was nothing to embed."""

    vectors: Matrix
    best_weight: float
    top_m: int

    def similarities(self, embedding: Sequence[float] | None) -> Matrix | None:
        """Cosine to each prototype, highest first.

        None where there is nothing to compare (no embedding, no prototypes, or vectors of another
        size).
        """
        if embedding is None or not len(self.vectors):
            return None
        query = np.asarray(embedding, dtype=np.float32)
        if query.shape != self.vectors.shape[1:]:
            return None
        return np.sort(self.vectors @ query)[::-1]

    def score(self, embedding: Sequence[float] | None) -> float | None:
        """best_weight x best + (1 - best_weight) x mean of the top_m best."""
        similarities = self.similarities(embedding)
        if similarities is None:
            return None
        top = similarities[: self.top_m] if self.top_m else similarities
        best = float(similarities[0])
        return self.best_weight * best + (1.0 - self.best_weight) * float(top.mean())

    def best(self, embedding: Sequence[float] | None) -> float | None:
        """The highest cosine alone."""
        similarities = self.similarities(embedding)
        return None if similarities is None else float(similarities[0])

    def __repr__(self) -> str:
        return f"<PrototypeBank of {len(self.vectors)}>"


@functools.cache
def empty_bank() -> PrototypeBank:
    """The bank without prototypes."""
    return PrototypeBank(np.zeros((0, 0), dtype=np.float32), 1.0, 1)


def build_bank(
    texts: Sequence[str],
    vectors: Sequence[Sequence[float]],
    options: PrototypeOptions,
    *,
    aggregation: str = "",
) -> PrototypeBank:
    """De-duplicate, cluster greedily, keep each cluster's medoid, largest clusters first.

    Ties go to the text that sorts first, so the order of examples never matters. `aggregation`
    "mean" scores by the plain average; "max", "any" and "" by the weighted best.
    """
    unique = dict(zip(texts, vectors, strict=True))
    if not unique:
        return empty_bank()
    names = sorted(unique)
    matrix = _normalised(np.array([unique[name] for name in names], dtype=np.float32))
    weight, top_m = MEAN if aggregation == "mean" else (options.best_weight, options.top_m)
    if options.enabled:
        matrix = matrix[_medoids(matrix, options)]
    return PrototypeBank(matrix, weight, top_m)


def _normalised(matrix: Matrix) -> Matrix:
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    return (matrix / np.where(norms > 0, norms, 1)).astype(np.float32)


def _medoids(matrix: Matrix, options: PrototypeOptions) -> list[int]:
    """Row indices of the prototypes. The seed with most unclaimed neighbours takes them all."""
    cosines = (matrix @ matrix.T).astype(np.float64)
    np.fill_diagonal(cosines, 1.0)
    near = cosines >= options.cluster_similarity
    remaining = np.ones(len(matrix), dtype=bool)
    found: list[tuple[int, float, int]] = []
    while remaining.any():
        sizes = np.where(remaining, (near & remaining).sum(axis=1), -1)
        members = np.nonzero(near[int(sizes.argmax())] & remaining)[0]
        averages = cosines[np.ix_(members, members)].mean(axis=1)
        medoid = int(averages.argmax())
        found.append((-len(members), -float(averages[medoid]), int(members[medoid])))
        remaining[members] = False
    return [index for _, _, index in sorted(found)[: options.max_prototypes]]
