"""Bounds that a number must keep.

Why this file exists: structure and conversation rules compare counts the same way (as upstream).
It must not know what is counted.
"""

import math

from srd.config.rules import Predicate


def keeps(value: float, predicate: Predicate | None) -> bool:
    """True when every bound given holds; without a predicate, when the value is over 0."""
    if predicate is None:
        return value > 0
    return (
        (predicate.gt is None or value > predicate.gt)
        and (predicate.gte is None or value >= predicate.gte)
        and (predicate.lt is None or value < predicate.lt)
        and (predicate.lte is None or value <= predicate.lte)
    )


def distance_confidence(value: float, predicate: Predicate | None) -> float:
    """sigmoid(4 x distance to the first bound given), .5 at the bound; 1 without a predicate."""
    if predicate is None:
        return 1.0
    bounds = (predicate.gt, predicate.gte, predicate.lt, predicate.lte)
    bound = next((b for b in bounds if b is not None), None)
    distance = 1.0 if bound is None else abs(value - bound)
    return 1.0 / (1.0 + math.exp(-4.0 * min(distance, 100.0)))
