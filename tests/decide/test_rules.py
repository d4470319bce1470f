"""Rule trees: upstream's confidences where all is known, bounds where it is not."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd.config.rules import Branch, Leaf, Predicate, leaf_key
from srd.decide.rules import LeafTable, Outcome, Tree
from srd.signals.base import Reading, Truth


@pytest.fixture(scope="module")
def evaluate(tree, readings):
    def run(spec, values, *, forced=False, answered=None):
        table = LeafTable(answered)
        compiled = Tree(spec if isinstance(spec, (Leaf, Branch)) else tree(spec), table)
        return compiled.evaluate(table.outcomes(readings(values), forced=forced))

    return run


def test_a_leaf_takes_the_confidence_of_its_reading(evaluate):
    assert evaluate("domain:math", {"domain:math": 0.7}) == Outcome(
        Truth.TRUE, 0.7, 0.7, ("domain:math",)
    )


def test_a_leaf_without_a_reading_is_unknown(evaluate):
    outcome = evaluate("domain:math", {})
    assert (outcome.truth, outcome.lo, outcome.hi) == (Truth.UNKNOWN, 0.0, 1.0)


def test_forced_makes_unknown_false(evaluate):
    assert evaluate("domain:math", {}, forced=True).truth is Truth.FALSE
    assert evaluate(("NOT", "domain:math"), {}, forced=True).truth is Truth.TRUE


def test_a_leaf_that_no_signal_answers_is_false_at_once(evaluate):
    outcome = evaluate(("OR", "kb:x", "keyword:a"), {}, answered={"keyword:a"})
    assert outcome.matched == ("keyword:a",)
    assert evaluate("kb:x", {"kb:x": 1.0}, answered=set()).truth is Truth.FALSE


def test_and_is_the_mean_and_lists_every_leaf_in_order(evaluate):
    outcome = evaluate(("AND", "domain:b", "keyword:a"), {"domain:b": 0.5, "keyword:a": 1.0})
    assert outcome == Outcome(Truth.TRUE, 0.75, 0.75, ("domain:b", "keyword:a"))


def test_and_of_nothing_is_true_with_confidence_zero(evaluate):
    assert evaluate(("AND",), {}) == Outcome(Truth.TRUE, 0.0, 0.0)


def test_or_of_nothing_is_false(evaluate):
    assert evaluate(("OR",), {}).truth is Truth.FALSE


def test_or_takes_its_best_child(evaluate):
    outcome = evaluate(("OR", "domain:b", "domain:c"), {"domain:b": 0.5, "domain:c": 0.9})
    assert outcome == Outcome(Truth.TRUE, 0.9, 0.9, ("domain:c",))


def test_or_takes_the_first_of_equal_children(evaluate):
    outcome = evaluate(("OR", "domain:b", "domain:c"), {"domain:b": 0.5, "domain:c": 0.5})
    assert outcome.matched == ("domain:b",)


def test_or_matches_through_a_child_with_confidence_zero(evaluate):
    assert evaluate(("OR", ("AND",)), {}).truth is Truth.TRUE


def test_not_is_true_with_one_and_lists_no_leaf(evaluate):
    assert evaluate(("NOT", "domain:b"), {"domain:b": False}) == Outcome(Truth.TRUE, 1.0, 1.0)
    assert evaluate(("NOT", "domain:b"), {"domain:b": 0.6}).truth is Truth.FALSE


def test_a_false_child_settles_and(evaluate):
    assert evaluate(("AND", "domain:b", "keyword:a"), {"keyword:a": False}).truth is Truth.FALSE


def test_a_true_child_settles_the_truth_of_or_but_not_its_confidence(evaluate):
    outcome = evaluate(("OR", "domain:b", "domain:c"), {"domain:b": 0.5})
    assert (outcome.truth, outcome.lo, outcome.hi) == (Truth.TRUE, 0.5, 1.0)
    assert outcome.open != 0


def test_an_unknown_child_that_cannot_beat_the_best_one_is_not_open(evaluate):
    outcome = evaluate(("OR", "domain:b", "domain:c"), {"domain:b": 1.0})
    assert (outcome.lo, outcome.hi, outcome.open) == (1.0, 1.0, 0)


@pytest.mark.parametrize("confidence", [7.0, -1.0, float("nan"), float("inf")])
def test_a_confidence_outside_its_range_is_pulled_inside(evaluate, confidence):
    outcome = evaluate("domain:b", {"domain:b": confidence})
    assert 0.0 <= outcome.lo == outcome.hi <= 1.0


def test_a_predicate_leaf_compares_the_score_and_matches_with_one():
    leaf = Leaf(type="classifier", name="tone", label="rude", predicate=Predicate(gte=0.5))
    table = LeafTable()
    compiled = Tree(leaf, table)

    def outcome(reading):
        return compiled.evaluate(table.outcomes({leaf_key(leaf): reading}, forced=False))

    assert leaf_key(leaf) == "classifier:tone:rude"
    assert outcome(Reading(Truth.TRUE, 0.9, 0.5)).lo == 1.0
    assert outcome(Reading(Truth.TRUE, 0.9, 0.4)).truth is Truth.FALSE
    assert outcome(Reading(Truth.TRUE, 0.9)).truth is Truth.TRUE
    assert outcome(Reading(Truth.UNKNOWN)).lo == 1.0


@pytest.mark.parametrize(
    ("bound", "holds"),
    [({"gt": 2.0}, False), ({"gte": 2.0}, True), ({"lt": 2.0}, False), ({"lte": 2.0}, True)],
)
def test_predicate_bounds_are_strict_or_not_as_named(bound, holds):
    leaf = Leaf(type="classifier", name="n", predicate=Predicate(**bound))
    table = LeafTable()
    outcome = Tree(leaf, table).evaluate(
        table.outcomes({"classifier:n": Reading(Truth.TRUE, 1.0, 2.0)}, forced=False)
    )
    assert (outcome.truth is Truth.TRUE) is holds


def test_ten_thousand_levels_need_no_recursion(evaluate):
    node = Leaf(type="keyword", name="a")
    for _ in range(10_000):
        node = Branch(operator="NOT", conditions=(node,))
    table = LeafTable()
    tree = Tree(node, table)
    reading = {"keyword:a": Reading(Truth.TRUE)}
    assert tree.evaluate(table.outcomes(reading, forced=False)).truth is Truth.TRUE


LEAVES = ("domain:a", "domain:b", "domain:c", "domain:d")
VALUES = (False, 0.0, 0.25, 1.0)


def specs(leaves: tuple[str, ...]):
    """Trees in which a leaf may occur more than once."""
    return st.recursive(
        st.sampled_from(leaves),
        lambda inner: st.one_of(
            st.tuples(st.just("NOT"), inner),
            st.lists(inner, max_size=3).map(lambda kids: ("AND", *kids)),
            st.lists(inner, max_size=3).map(lambda kids: ("OR", *kids)),
        ),
        max_leaves=6,
    )


@st.composite
def read_once(draw, leaves=LEAVES):
    """Trees in which every leaf occurs at most once."""
    if len(leaves) <= 1:
        spec = leaves[0]
    else:
        cut = draw(st.integers(1, len(leaves) - 1))
        halves = draw(read_once(leaves[:cut])), draw(read_once(leaves[cut:]))
        spec = (draw(st.sampled_from(["AND", "OR"])), *halves)
    return ("NOT", spec) if draw(st.booleans()) else spec


known = st.fixed_dictionaries({key: st.sampled_from((*VALUES, None)) for key in LEAVES})


def completions(values):
    unknown = [key for key, value in values.items() if value is None]
    for choice in itertools.product(VALUES, repeat=len(unknown)):
        yield values | dict(zip(unknown, choice, strict=True))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), values=known)
def test_every_completion_lies_within_the_outcome(evaluate, data, values):
    spec = data.draw(specs(LEAVES))
    outcome = evaluate(spec, values)
    for complete in completions(values):
        end = evaluate(spec, complete)
        assert end.truth is not Truth.UNKNOWN
        assert outcome.truth in (end.truth, Truth.UNKNOWN)
        if end.truth is Truth.TRUE:
            assert outcome.lo <= end.lo == end.hi <= outcome.hi


@settings(max_examples=150, deadline=None)
@given(spec=read_once(), values=known)
def test_the_outcome_is_as_narrow_as_its_completions_when_leaves_occur_once(evaluate, spec, values):
    outcome = evaluate(spec, values)
    ends = [evaluate(spec, complete) for complete in completions(values)]
    truths = {end.truth for end in ends}
    assert outcome.truth is (truths.pop() if len(truths) == 1 else Truth.UNKNOWN)
    confidences = [end.lo for end in ends if end.truth is Truth.TRUE]
    if confidences:
        assert (outcome.lo, outcome.hi) == (min(confidences), max(confidences))


@settings(max_examples=100, deadline=None)
@given(data=st.data(), values=known)
def test_resolving_the_open_leaves_settles_the_outcome(tree, readings, data, values):
    spec = data.draw(specs(LEAVES))
    table = LeafTable()
    compiled = Tree(tree(spec), table)
    before = compiled.evaluate(table.outcomes(readings(values), forced=False))
    blocking = table.keys_in(before.open)
    resolved = {
        key: data.draw(st.sampled_from(VALUES)) if key in blocking and value is None else value
        for key, value in values.items()
    }
    after = compiled.evaluate(table.outcomes(readings(resolved), forced=False))
    assert after.truth is not Truth.UNKNOWN
    assert after.lo == after.hi
    assert after.open == 0
