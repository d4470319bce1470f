import math

import pytest

from srd.config.rules import Predicate
from srd.signals.predicates import distance_confidence, keeps


@pytest.mark.parametrize(
    ("value", "predicate", "kept"),
    [
        (1, None, True),
        (0, None, False),
        (3, Predicate(gt=3), False),
        (3, Predicate(gte=3), True),
        (3, Predicate(lt=3), False),
        (3, Predicate(lte=3), True),
        (3, Predicate(gte=2, lt=4), True),
        (5, Predicate(gte=2, lt=4), False),
        (0, Predicate(), True),
    ],
)
def test_all_bounds_given_must_hold(value: float, predicate: Predicate | None, kept: bool) -> None:
    assert keeps(value, predicate) is kept


@pytest.mark.parametrize(
    ("value", "predicate", "confidence"),
    [
        (7, None, 1.0),
        (3, Predicate(gte=3), 0.5),
        (4, Predicate(gte=3), 1 / (1 + math.exp(-4))),
        (2, Predicate(lt=3), 1 / (1 + math.exp(-4))),
        (4, Predicate(gt=3, lt=100), 1 / (1 + math.exp(-4))),
        (10**9, Predicate(gt=3), 1.0),
    ],
)
def test_confidence_grows_with_the_distance_to_the_first_bound(
    value: float, predicate: Predicate | None, confidence: float
) -> None:
    assert distance_confidence(value, predicate) == pytest.approx(confidence)
