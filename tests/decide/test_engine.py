"""Ranking: upstream's orderings, and finality proved against every completion."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd.config import loads
from srd.config.rules import leaf_key, leaves
from srd.decide.engine import Engine, Final, Pending, Unanswered

A, B, C, D = "domain:a", "domain:b", "domain:c", "domain:d"


@pytest.fixture(scope="module")
def judge(document, readings):
    def run(decisions, values, *, strategy="", forced=False, blocking=()):
        engine = Engine(document(decisions, strategy, blocking))
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


def test_forced_counts_unknown_as_false_where_nothing_else_is_said(judge):
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


# -- blocking --------------------------------------------------------------------------------------

AB, BB = "domain:a@block", "domain:b@block"
GUARDED = {"stop": (A, 20, 0), "math": (B, 10, 0)}


def test_a_blocking_decision_waits_for_its_own_reading_of_a_leaf(judge):
    both = {"stop": (A, 20, 0), "math": (A, 10, 0)}
    assert judge(both, {A: 1.0}, blocking={"stop"}) == Pending(frozenset({AB}))
    assert winner(judge(both, {A: 1.0, AB: False}, blocking={"stop"})) == "math"
    stopped = judge(both, {A: False, AB: 0.5}, blocking={"stop"})
    assert (winner(stopped), stopped.matched) == ("stop", (A,))


def test_a_blocking_rule_that_was_not_evaluated_is_unanswered_when_nobody_waits(judge):
    verdict = judge(GUARDED, {B: 1.0}, blocking={"stop"}, forced=True)
    assert isinstance(verdict, Unanswered)
    assert verdict.blocking == {AB}
    assert winner(verdict.otherwise) == "math"
    assert repr(verdict) == (
        "<Unanswered domain:a@block, otherwise <Final math p=1.00 by domain:b>>"
    )


def test_one_that_cannot_win_any_more_is_not_missed(judge):
    """The blocking rule is out-ranked by what is known to match."""
    below = judge(GUARDED, {A: 1.0}, blocking={"math"}, forced=True)
    assert winner(below) == "stop"


def test_a_routing_leaf_may_fail_the_request_too(judge):
    decisions = {"x": (f"{A}?fail_request", 20, 0), "y": (B, 10, 0)}
    verdict = judge(decisions, {B: 1.0}, forced=True)
    assert isinstance(verdict, Unanswered)
    assert verdict.blocking == {A}


@pytest.mark.parametrize(
    ("on_unknown", "wins"), [("no_match", "math"), ("match", "stop"), ("fail_request", None)]
)
def test_a_blocking_leaf_counts_as_it_says(judge, on_unknown, wins):
    decisions = {"stop": (f"{A}?{on_unknown}", 20, 0), "math": (B, 10, 0)}
    verdict = judge(decisions, {B: 1.0}, blocking={"stop"}, forced=True)
    if wins is None:
        assert isinstance(verdict, Unanswered)
    else:
        assert winner(verdict) == wins


def test_the_blocking_decisions_alone_have_a_verdict_too(document, readings):
    """For a request that named its model: what only routes is neither waited for nor wins."""
    engine = Engine(document({"law": (C, 30, 0), **GUARDED}, "", {"stop"}))
    assert engine.judge_blocking({}) == Pending(frozenset({AB}))
    assert engine.judge_blocking(readings({AB: False})) == Final(None)
    assert winner(engine.judge_blocking(readings({C: 1.0, AB: 0.5}))) == "stop"
    unanswered = engine.judge_blocking({}, forced=True)
    assert unanswered == Unanswered(frozenset({AB}), Final(None))
    assert Engine(document(GUARDED)).judge_blocking({}) == Final(None)


@pytest.mark.parametrize("on_error", ["refuse", "allow"])
@pytest.mark.parametrize("guard", ["", "allow", "block"])
@pytest.mark.parametrize("on_unknown", ["", "no_match", "match", "fail_request"])
@pytest.mark.parametrize("blocking", ["", "true", "false"])
@pytest.mark.parametrize("truth", [True, False, None])
def test_a_failed_guard_does_what_leaf_guard_and_router_say(
    readings, on_error, guard, on_unknown, blocking, truth
):
    text = f"""
routing:
  modelCards: [{{name: m}}]
  signals: {{jailbreak: [{{name: j}}]}}
  decisions:
    - name: stop
      rules: {{type: jailbreak, name: j{on_unknown and f", on_unknown: {on_unknown}"}}}
      plugins: [{{type: fast_response, configuration: {{message: No.}}}}]
{blocking and f"      blocking: {blocking}"}
providers: {{defaults: {{default_model: m}}}}
global:
  router: {{blocking: {{on_error: {on_error}}}}}
  model_catalog: {{modules: {{prompt_guard: {{{guard and f"on_error: {guard}"}}}}}}}
"""
    loaded = loads(text).document
    blocks = blocking != "false"
    [leaf] = leaves(loaded.routing.decisions[0].rules)
    key = leaf_key(leaf, blocks)
    engine = Engine(loaded, answered={key})
    verdict = engine.judge(readings({key: truth}), forced=True)
    refuses = blocks and on_error == "refuse"
    by_guard = {"allow": "no_match", "block": "fail_request"}.get(guard, "")
    counts = on_unknown or by_guard or ("fail_request" if refuses else "no_match")
    if truth is None and counts == "fail_request":
        assert verdict == Unanswered(frozenset({key}), Final(None))
    else:
        matches = truth if truth is not None else counts == "match"
        assert winner(verdict) == ("stop" if matches else None)


def test_a_leaf_that_srd_cannot_evaluate_is_no_match_unless_it_says_otherwise(document, readings):
    def judged(leaf, **options):
        engine = Engine(document({"stop": (leaf, 9, 0)}, "", {"stop"}), answered={"kb:x@block"})
        return engine.judge(readings({"kb:x@block": 1.0}), **options)

    assert winner(judged("kb:x")) is None
    assert winner(judged("kb:x?match")) == "stop"
    assert judged("kb:x?fail_request") == Pending(frozenset({"kb:x@block"}))
    assert isinstance(judged("kb:x?fail_request", forced=True), Unanswered)


def test_a_blocking_leaf_whose_signal_is_missing_refuses_and_a_routing_one_does_not_match(document):
    def judged(**blocking):
        return Engine(document({"x": (A, 9, 0)}, **blocking), answered=()).judge({}, forced=True)

    assert judged(blocking={"x"}) == Unanswered(frozenset({AB}), Final(None))
    assert judged() == Final(None)


COUNTS = ("", "no_match", "match", "fail_request")


def said(spec, counts):
    """The same tree with an `on_unknown` on every leaf, by name."""
    if isinstance(spec, str):
        return f"{spec}?{counts[spec]}"
    return (spec[0], *(said(child, counts) for child in spec[1:]))


counted = st.fixed_dictionaries({key: st.sampled_from(COUNTS) for key in LEAVES})
blocked = st.sets(st.sampled_from("pqrs"))


def as_read(values):
    """The readings of both uses of every leaf."""
    return values | {f"{key}@block": value for key, value in values.items()}


def open_completions(engine, readings, values):
    """What wins for every completion of the leaves that fail a request, by what was read."""
    keys = [key for key in engine.leaf_keys if values.get(key) is None]
    for choice in itertools.product(VALUES, repeat=len(keys)):
        yield winner(engine.judge(readings(values | dict(zip(keys, choice, strict=True)))))


@settings(max_examples=200, deadline=None)
@given(
    decisions=any_decisions(),
    values=known,
    strategy=strategies,
    blocking=blocked,
    counts=counted,
)
def test_forced_a_final_verdict_survives_whatever_the_missing_leaves_would_have_said(
    document, readings, decisions, values, strategy, blocking, counts
):
    """Whatever counts as no match or match is settled; of what is left, no completion changes a
    Final winner, and none but those named makes an Unanswered one."""
    plain = {name: (said(spec, counts), *rest) for name, (spec, *rest) in decisions.items()}
    engine = Engine(document(plain, strategy, blocking))
    values = settled(as_read(values), counts)
    verdict = engine.judge(readings(values), forced=True)
    if isinstance(verdict, Final):
        assert set(open_completions(engine, readings, values)) == {winner(verdict)}
    else:
        assert isinstance(verdict, Unanswered)
        assert verdict.blocking <= {key for key in engine.leaf_keys if values[key] is None}


def settled(values, counts):
    """The readings with everything known that does not fail the request."""
    found = dict(values)
    for key, value in values.items():
        plain = key.removesuffix("@block")
        default = "fail_request" if key != plain else "no_match"
        if value is None and (counts[plain] or default) != "fail_request":
            found[key] = 1.0 if counts[plain] == "match" else False
    return found


@settings(max_examples=200, deadline=None)
@given(
    decisions=st.one_of(strict_decisions(), separate_decisions()),
    values=known,
    blocking=blocked,
    counts=counted,
)
def test_forced_a_request_is_refused_only_where_two_winners_are_possible(
    document, readings, decisions, values, blocking, counts
):
    """While no leaf occurs twice in a tree: if all completions give the same winner, it is Final;
    and what is settled before is settled as the engine settles it."""
    plain = {name: (said(spec, counts), *rest) for name, (spec, *rest) in decisions.items()}
    engine = Engine(document(plain, "priority", blocking))
    values = as_read(values)
    forced = engine.judge(readings(values), forced=True)
    values = settled(values, counts)
    assert isinstance(engine.judge(readings(values), forced=True), type(forced))
    possible = set(open_completions(engine, readings, values))
    assert isinstance(forced, Final) == (len(possible) == 1)
    if isinstance(forced, Final):
        assert possible == {winner(forced)}
