"""From readings to a Decision, as serving and explaining both do it."""

import pytest

from srd.classify.api import Scores
from srd.decide.decision import Basis, SignalFact
from srd.decide.engine import Final, Pending
from srd.decide.router import Router


@pytest.fixture(scope="module")
def router(routed):
    return Router(routed)


THINK, MATH, LAW = "keyword:think", "domain:math", "domain:law"
STOP = "keyword:think@block"  # the leaf of the decision that blocks


@pytest.fixture(scope="module")
def decide(router, readings):
    def run(values, **facts):
        known = readings({STOP: values.get(THINK, False), **values})
        verdict = router.engine.judge(known, forced=True)
        assert isinstance(verdict, Final)
        return router.conclude(verdict, basis=Basis.COMPLETE, readings=known, **facts)

    return run


def test_a_decision_says_where_why_and_on_what(decide):
    decision = decide({THINK: 1.0, MATH: 0.5, LAW: False}, requested_model="auto")
    assert decision.name == "math"
    assert (decision.model, decision.base_model) == ("math-expert", "base")
    assert decision.upstream_model == "math-expert"
    assert decision.requested_model == "auto"
    assert decision.category == "math"
    assert decision.confidence == 0.75
    assert decision.matched == (THINK, MATH)
    assert (decision.runner_up, decision.margin) == ("blocked", -0.25)
    assert decision.reasoning is not None
    assert decision.reasoning.enabled
    assert SignalFact("domain", "math", "true", 0.5) in decision.signals
    assert SignalFact("domain", "law", "false") in decision.signals


def test_the_category_is_the_first_matched_domain_leaf_only(decide):
    assert decide({THINK: 1.0}).category is None
    assert decide({}).category is None


def test_no_match_goes_to_the_default_model(decide):
    decision = decide({})
    assert (decision.name, decision.model, decision.confidence) == (None, "general", 0.0)
    assert decision.upstream_model == "org/general"


def test_the_classifiers_top_label_is_kept_whatever_the_threshold(decide):
    scores = Scores(domain={"law": 0.2, "math": 0.4, "other": 0.4}, tokens=64, stage="linear")
    decision = decide({}, scores=scores)
    assert (decision.label, decision.label_confidence) == ("math", 0.4)
    assert (decision.stage, decision.tokens_read) == ("linear", 64)


def test_the_mark_of_the_blocking_use_is_not_told(decide):
    decision = decide({STOP: 0.5})
    assert (decision.name, decision.matched) == ("blocked", (THINK,))
    assert [fact.name for fact in decision.signals] == ["think"]


def test_an_explicit_model_is_taken_at_its_word(router):
    decision = router.explicit("base")
    assert (decision.basis, decision.model, decision.name) == (Basis.EXPLICIT, "base", None)
    assert (decision.upstream_model, decision.reasoning) == ("org/base-7b", None)


def test_a_fallback_names_its_reason_and_takes_the_default_model(router):
    decision = router.fallback("classifier_timeout", requested_model="auto")
    assert (decision.basis, decision.model) == (Basis.FALLBACK, "general")
    assert (decision.fallback_reason, decision.requested_model) == ("classifier_timeout", "auto")


def test_auto_names_and_known_models_are_compared_exactly(router):
    assert router.is_auto("auto")
    assert not router.is_auto("Auto")
    assert router.is_known("math-expert")
    assert router.is_known("base")
    assert not router.is_known("auto")
    assert not router.is_known("math-exper")


class Answered:
    """A list of signals that answers these leaves."""

    def __init__(self, *keys):
        self.keys = keys


def test_leaves_without_a_signal_never_block(routed, readings):
    known = {LAW: 0.5, STOP: False}
    assert isinstance(Router(routed).engine.judge(readings(known)), Pending)
    only_law = Router(routed, Answered(LAW))
    assert only_law.engine.judge(readings(known)).rule.name == "law"


def test_the_repr_names_the_essentials(router):
    assert repr(router) == "<Router <Engine 5 decisions, 6 leaves, by priority> default=general>"
