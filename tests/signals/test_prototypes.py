import itertools
import math

import numpy as np
import pytest

from srd.signals.prototypes import PrototypeBank, PrototypeOptions, build_bank, empty_bank


def at(*degrees: float) -> list[list[float]]:
    """Unit vectors in the plane."""
    return [[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees]


def bank(*degrees: float, aggregation: str = "", **options: float) -> PrototypeBank:
    names = [f"t{i}" for i in range(len(degrees))]
    chosen = PrototypeOptions(**options)  # type: ignore[arg-type]
    return build_bank(names, at(*degrees), chosen, aggregation=aggregation)


def cos(degrees: float) -> float:
    return math.cos(math.radians(degrees))


def test_the_score_is_three_quarters_best_and_a_quarter_of_the_two_best() -> None:
    # cosines to 0 degrees: 1, cos 60, cos 90
    expected = 0.75 * 1 + 0.25 * (1 + cos(60)) / 2
    assert bank(0, 60, 90).score([1, 0]) == pytest.approx(expected)


def test_mean_aggregation_is_the_plain_average() -> None:
    expected = (1 + cos(60) + cos(90)) / 3
    assert bank(0, 60, 90, aggregation="mean").score([1, 0]) == pytest.approx(expected)


@pytest.mark.parametrize("aggregation", ["max", "any", ""])
def test_other_aggregations_weigh_alike(aggregation: str) -> None:
    score = bank(0, 60, 90, aggregation=aggregation).score([1, 0])
    assert score == pytest.approx(0.75 + 0.25 * (1 + cos(60)) / 2)


def test_a_cluster_is_represented_by_its_medoid() -> None:
    # cos 20 = .94, cos 40 = .77: all three are near the middle one
    one = bank(-20, 0, 20)
    assert one.vectors == pytest.approx(np.array(at(0)), abs=1e-6)


def test_the_largest_cluster_comes_first_and_the_rest_is_dropped() -> None:
    kept = bank(90, 0, 2, 180, 182, 184, max_prototypes=2)
    assert kept.vectors == pytest.approx(np.array(at(182, 0)), abs=0.04)


def test_more_than_eight_clusters_keep_eight() -> None:
    assert len(bank(*range(0, 360, 30)).vectors) == 8


def test_without_scoring_every_example_is_a_prototype() -> None:
    assert len(bank(0, 1, 2, enabled=False).vectors) == 3


def test_the_same_text_twice_counts_once() -> None:
    twice = build_bank(["a", "a", "b"], at(0, 0, 90), PrototypeOptions(), aggregation="mean")
    assert twice.score([1, 0]) == pytest.approx(0.5)


def test_the_order_of_examples_does_not_matter() -> None:
    named = list(zip("abcde", at(0, 20, 40, 60, 200), strict=True))
    scores = set()
    for order in itertools.permutations(named):
        names, vectors = zip(*order, strict=True)
        scores.add(build_bank(names, vectors, PrototypeOptions()).score([0.6, 0.8]))
    assert len(scores) == 1


def test_vectors_are_normalised() -> None:
    long = build_bank(["a"], [[30.0, 40.0]], PrototypeOptions())
    assert long.score([0.6, 0.8]) == pytest.approx(1.0)


def test_a_zero_vector_is_near_nothing() -> None:
    assert build_bank(["a"], [[0.0, 0.0]], PrototypeOptions()).score([1, 0]) == 0.0


def test_best_is_the_highest_cosine() -> None:
    assert bank(0, 60, 90).best([0.5, math.sqrt(0.75)]) == pytest.approx(1.0)


@pytest.mark.parametrize("embedding", [None, [1.0], [1.0, 0.0, 0.0], []])
def test_what_cannot_be_compared_has_no_score(embedding: list[float] | None) -> None:
    assert bank(0, 90).score(embedding) is None
    assert bank(0, 90).best(embedding) is None


def test_an_empty_bank_has_no_score() -> None:
    assert build_bank([], [], PrototypeOptions()) is empty_bank()
    assert empty_bank().score([1.0, 0.0]) is None
