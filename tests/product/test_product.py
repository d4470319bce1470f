"""The product in CI: a 3-wise covering array of all axes, judged by the oracle.

What failed is printed as a case that `python tests/product/cases.py 'CASE'` repeats.
"""

from __future__ import annotations

import collections

from product import axes
from product.axes import AXES, Case, feasible
from product.cases import checked, random_cases
from product.covering import covering

#: What must have been reached, so that no axis has quietly become a name without effect.
REACHED = {
    "clean complete", "clean early", "clean explicit", "clean fallback", "clean memo",
    "clean timeout", "clean budget", "refused 200", "refused 400", "refused 413", "refused 503",
}  # fmt: skip


def _failures(cases: list[Case]) -> tuple[list[str], collections.Counter[str]]:
    failed, endings = [], collections.Counter()
    for case in cases:
        _, problems, ending = checked(case)
        endings[ending] += 1
        if problems:
            failed.append(f"{case}: {'; '.join(problems)[:300]}")
    return failed, endings


def test_every_three_values_of_the_axes_leave_what_was_decided():
    array = covering(AXES, feasible, seed=12)
    print(array)
    assert array.covered == array.feasible, str(array)
    cases = [Case(**row, seed=index) for index, row in enumerate(array.rows)]
    failed, endings = _failures(cases)
    assert not failed, f"{len(failed)} of {len(cases)}:\n" + "\n".join(failed[:20])
    assert endings.keys() >= REACHED, endings


def test_random_cases_of_the_whole_product_leave_what_was_decided():
    failed, _ = _failures(list(random_cases(400, 12)))
    assert not failed, f"{len(failed)}:\n" + "\n".join(failed[:20])


def test_a_case_is_read_back_as_it_was_printed():
    for case in random_cases(50, 1):
        assert Case.parse(str(case)) == case


def test_every_draw_is_feasible():
    for case in random_cases(500, 2):
        assert feasible({name: getattr(case, name) for name in AXES}), case


def test_sizes_are_those_of_the_promise():
    assert axes.SIZES["any"] == (300, 1_200_000)
    assert axes.SIZES["giant"][1] == 12_000_000
