"""Ranking: upstream's orderings, and finality proved against every completion."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd.decide.engine import Engine, Final, Pending

A, B, C, D = "domain:a", "domain:b", "domain:c", "domain:d"


@pytest.fixture(scope="module")
def judge(document, readings):
    def run(decisions, values, *, strategy="", forced=False):
        engine = Engine(document(decisions, strategy))
        return engine.judge(readings(values), forced=forced)

    return run


def winner(verdict):
    assert isinstance(verdict, Final), verdict
    return None if verdict.rule is None else verdict.rule.name


def test_the_larger_priority_wins_whatever_the_confidence(judge):
    verdict = judge({"low": (A, 10, 0), "high": (B, 20, 0)}, {A: 1.0, B: 0.5})
    assert winner(verdict) == "high"
    assert (verdict.confidence, verdict.matched) == (0.5, (B,))
    assert (verdict.runner_up, verdict.margin) == ("low", -0.5)


def test_confidence_breaks_a_tie_of_priorities_then_the_name(judge):
    assert winner(judge({"x": (A, 1, 0), "y": (B, 1, 0)}, {A: 0.5, B: 0.75})) == "y"
    assert winner(judge({"y": (A, 1, 0), "x": (B, 1, 0)}, {A: 0.5, B: 0.5})) == "x"


def test_the_confidence_strategy_puts_confidence_first_then_priority_then_name(judge):
    decisions = {"y": (A, 10, 0), "x": (B, 10, 0), "low": (C, 1, 0)}
    by_confidence = {A: 0.5, B: 0.5, C: 0.9}
    assert winner(judge(decisions, by_confidence, strategy="confidence")) == "low"
    level = {A: 0.5, B: 0.5, C: 0.5}
    assert winner(judge(decisions, level, strategy="confidence")) == "x"


def test_a_matched_tier_switches_the_ordering_to_tiers(judge):
    decisions = {"first": (A, 1, 1), "second": (B, 99, 2)}
    assert winner(judge(decisions, {A: 0.1, B: 1.0})) == "first"


def test_an_untiered_decision_sorts_before_tier_one(judge):
    decisions = {"plain": (A, 1, 0), "tiered": (B, 99, 1)}
    assert winner(judge(decisions, {A: 0.5, B: 1.0})) == "plain"


def test_a_tier_that_did_not_match_does_not_switch_the_ordering(judge):
    decisions = {"low": (A, 1, 0), "high": (B, 9, 0), "tiered": (C, 1, 1)}
    assert winner(judge(decisions, {A: 0.9, B: 0.1, C: False})) == "high"
    assert winner(judge(decisions, {A: 0.9, B: 0.1, C: 1.0})) == "low"


def test_an_unknown_tier_keeps_the_ordering_open(judge):
    decisions = {"low": (A, 1, 0), "high": (B, 9, 0), "tiered": (C, 1, 1)}
    assert judge(decisions, {A: 0.9, B: 0.1}) == Pending(frozenset({C}))


def test_no_match_is_final_only_when_nothing_can_match(judge):
    assert winner(judge({"x": (A, 1, 0)}, {A: False})) is None
    assert judge({"x": (A, 1, 0)}, {}) == Pending(frozenset({A}))


def test_a_document_without_decisions_is_always_final(judge):
    assert judge({}, {}) == Final(None)


def test_an_unknown_signal_that_cannot_outrank_the_winner_does_not_wait(judge):
    decisions = {"thinking": ("keyword:think", 20, 0), "math": (A, 10, 0)}
    assert winner(judge(decisions, {"keyword:think": 1.0})) == "thinking"


def test_an_unknown_signal_of_higher_priority_blocks(judge):
    decisions = {"thinking": ("keyword:think", 20, 0), "math": (A, 10, 0)}
    assert judge(decisions, {A: 1.0}) == Pending(frozenset({"keyword:think"}))


def test_among_equal_priorities_a_full_confidence_needs_the_better_name(judge):
    decisions = {"a": (A, 10, 0), "b": (B, 10, 0)}
    assert winner(judge(decisions, {A: 1.0})) == "a"
    assert judge(decisions, {B: 1.0}) == Pending(frozenset({A}))


def test_forced_is_always_final_and_counts_unknown_as_false(judge):
    decisions = {"thinking": ("keyword:think", 20, 0), "math": (A, 10, 0)}
    assert winner(judge(decisions, {A: 1.0}, forced=True)) == "math"
    assert winner(judge(decisions, {}, forced=True)) is None


def test_leaf_keys_are_listed_once_in_document_order(document):
    engine = Engine(document({"x": (("OR", B, A), 1, 0), "y": (("NOT", B), 1, 0)}))
    assert engine.leaf_keys == (B, A)


def test_a_leaf_that_no_signal_answers_never_blocks(document, readings):
    engine = Engine(document({"x": (B, 9, 0), "y": (A, 1, 0)}), answered=frozenset({A}))
    assert winner(engine.judge(readings({A: 0.5}))) == "y"


def test_reprs_say_who_won_and_what_is_missing(judge):
    assert repr(judge({"x": (A, 1, 0)}, {A: 0.5})) == "<Final x p=0.50 by domain:a>"
    assert repr(judge({"x": (A, 1, 0)}, {})) == "<Pending on domain:a>"


LEAVES = (A, B, C, D)
VALUES = (False, 0.0, 0.5, 1.0)
known = st.fixed_dictionaries({key: st.sampled_from((*VALUES, None)) for key in LEAVES})
small = st.integers(0, 2)


def specs(max_leaves=4):
    return st.recursive(
        st.sampled_from(LEAVES),
        lambda inner: st.one_of(
            st.tuples(st.just("NOT"), inner),
            st.lists(inner, max_size=3).map(lambda kids: ("AND", *kids)),
            st.lists(inner, max_size=3).map(lambda kids: ("OR", *kids)),
        ),
        max_leaves=max_leaves,
    )


@st.composite
def any_decisions(draw):
    names = draw(st.permutations("pqrs"))[: draw(st.integers(1, 4))]
    return {name: (draw(specs()), draw(small), draw(small)) for name in names}


@st.composite
def strict_decisions(draw):
    """Different priorities, no tiers, and no leaf twice in one tree."""
    found = {}
    for priority, name in enumerate(draw(st.permutations("pqrs"))):
        first, *rest = draw(st.permutations(LEAVES))[: draw(st.integers(1, 3))]
        spec = first
        for leaf in rest:
            spec = (draw(st.sampled_from(["AND", "OR"])), spec, leaf)
            if draw(st.booleans()):
                spec = ("NOT", spec)
        found[name] = (spec, priority, 0)
    return found


@st.composite
def separate_decisions(draw):
    """Equal priorities and tiers allowed, but every leaf occurs once in the document."""
    leaves = draw(st.permutations(LEAVES))
    trees = [leaves[0], (draw(st.sampled_from(["AND", "OR"])), leaves[1], leaves[2]), leaves[3]]
    names = draw(st.permutations("pqr"))
    return {
        name: (("NOT", spec) if draw(st.booleans()) else spec, draw(small), draw(small))
        for name, spec in zip(names, trees, strict=True)
    }


strategies = st.sampled_from(["priority", "confidence"])


def winners(engine, readings, values):
    """The winner of every completion of the unknown leaves."""
    unknown = [key for key, value in values.items() if value is None]
    return {
        winner(engine.judge(readings(values | dict(zip(unknown, choice, strict=True)))))
        for choice in itertools.product(VALUES, repeat=len(unknown))
    }


@settings(max_examples=200, deadline=None)
@given(decisions=any_decisions(), values=known, strategy=strategies)
def test_a_final_verdict_survives_every_completion(document, readings, decisions, values, strategy):
    engine = Engine(document(decisions, strategy))
    verdict = engine.judge(readings(values))
    if isinstance(verdict, Final):
        assert winners(engine, readings, values) == {winner(verdict)}


@settings(max_examples=200, deadline=None)
@given(decisions=strict_decisions(), values=known)
def test_by_priority_a_pending_verdict_has_two_possible_winners(
    document, readings, decisions, values
):
    engine = Engine(document(decisions, "priority"))
    verdict = engine.judge(readings(values))
    assert isinstance(verdict, Final) == (len(winners(engine, readings, values)) == 1)


@settings(max_examples=200, deadline=None)
@given(decisions=separate_decisions(), values=known, strategy=strategies)
def test_with_ties_and_tiers_too_while_no_leaf_occurs_twice(
    document, readings, decisions, values, strategy
):
    engine = Engine(document(decisions, strategy))
    verdict = engine.judge(readings(values))
    assert isinstance(verdict, Final) == (len(winners(engine, readings, values)) == 1)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), decisions=any_decisions(), values=known, strategy=strategies)
def test_once_the_blocking_leaves_are_known_the_verdict_is_final(
    document, readings, data, decisions, values, strategy
):
    engine = Engine(document(decisions, strategy))
    verdict = engine.judge(readings(values))
    if isinstance(verdict, Pending):
        assert verdict.blocking <= {key for key, value in values.items() if value is None}
        resolved = {key: data.draw(st.sampled_from(VALUES)) for key in verdict.blocking}
        assert isinstance(engine.judge(readings(values | resolved)), Final)


def upstream_order(matched, strategy):
    """Upstream's order, written as one sort; the oracle of the next test."""
    if any(rule.tier > 0 for rule, _ in matched):
        return sorted(matched, key=lambda m: (m[0].tier, -m[1], -m[0].priority, m[0].name))
    if strategy == "confidence":
        return sorted(matched, key=lambda m: (-m[1], -m[0].priority, m[0].name))
    return sorted(matched, key=lambda m: (-m[0].priority, -m[1], m[0].name))


@settings(max_examples=150, deadline=None)
@given(
    decisions=any_decisions(),
    values=st.fixed_dictionaries({key: st.sampled_from(VALUES) for key in LEAVES}),
    strategy=strategies,
)
def test_with_everything_known_the_order_is_upstreams(
    document, readings, decisions, values, strategy
):
    engine = Engine(document(decisions, strategy))
    verdict = engine.judge(readings(values))
    matched = [
        (contender.rule, contender.outcome.lo)
        for contender in engine.outcomes(readings(values))
        if contender.outcome.truth.value == "true"
    ]
    order = [rule.name for rule, _ in upstream_order(matched, strategy)]
    assert [winner(verdict), verdict.runner_up] == [*order, None, None][:2]
