"""The generator's books against a count of its own, and its constraints against brute force."""

from __future__ import annotations

import itertools

from product.covering import covered_by, covering

AXES = {"a": ("0", "1", "2"), "b": ("0", "1"), "c": ("0", "1"), "d": ("0", "1", "2"), "e": ("0",)}


def possible(row):
    if row.get("a") == "0" and row.get("b") == "1":
        return False
    return not (row.get("c") == "1" and row.get("d") not in (None, "2"))


def triples_by_force():
    found = set()
    for values in itertools.product(*AXES.values()):
        row = dict(zip(AXES, values, strict=True))
        if possible(row):
            found |= set(itertools.combinations(row.items(), 3))
    return found


def test_all_triples_are_covered_and_no_row_is_impossible():
    array = covering(AXES, lambda row: True)
    assert (
        array.covered
        == array.feasible
        == sum(len(x) * len(y) * len(z) for x, y, z in itertools.combinations(AXES.values(), 3))
    )


def test_what_no_row_can_hold_is_not_asked_for():
    array = covering(AXES, possible)
    assert all(possible(row) for row in array.rows)
    assert array.feasible == len(triples_by_force()) == array.covered


def test_a_row_that_is_lost_lowers_the_coverage():
    array = covering(AXES, possible)
    assert covered_by(array.rows[1:], AXES) < array.covered


def test_the_same_seed_gives_the_same_rows():
    assert covering(AXES, possible, seed=3) == covering(AXES, possible, seed=3)
