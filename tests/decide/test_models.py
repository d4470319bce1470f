"""Model choice: refs, adapters, weights, upstream ids, reasoning."""

import json
from collections import Counter

import pytest

from srd.config import loads
from srd.config.decisions import Algorithm, DecisionRule, ModelRef
from srd.decide.decision import Reasoning
from srd.decide.models import backend_host, choose, named, upstream_id


def rule(document, name):
    return next(rule for rule in document.routing.decisions if rule.name == name)


def test_no_decision_takes_the_default_model_and_says_nothing_of_reasoning(routed):
    choice = choose(None, routed)
    assert (choice.model, choice.algorithm, choice.reasoning) == ("general", "", None)


def test_one_ref_is_single_and_its_adapter_is_the_model(routed):
    choice = choose(rule(routed, "math"), routed)
    assert (choice.model, choice.base_model, choice.algorithm) == ("math-expert", "base", "single")


def test_the_effort_of_an_adapters_ref_is_found(routed):
    reasoning = choose(rule(routed, "math"), routed).reasoning
    assert reasoning == Reasoning(True, "low", "qwen3", "enable_thinking")


def test_a_ref_without_effort_takes_the_default_effort_and_at_last_medium(routed):
    assert choose(rule(routed, "law"), routed).reasoning.effort == "high"
    plain = loads("routing: {modelCards: [{name: m}]}").document
    thinking = DecisionRule(name="d", model_refs=(ModelRef(model="m", use_reasoning=True),))
    assert choose(thinking, plain).reasoning == Reasoning(True, "medium")


def test_a_ref_that_does_not_think_has_no_effort(routed):
    quiet = DecisionRule(name="d", model_refs=(ModelRef(model="base", reasoning_effort="high"),))
    assert choose(quiet, routed).reasoning == Reasoning(False, "", "qwen3", "enable_thinking")


def test_a_decision_without_refs_takes_the_default_model(routed):
    choice = choose(rule(routed, "bare"), routed)
    assert (choice.model, choice.reasoning) == ("general", Reasoning(enabled=False))


def test_a_fixed_answer_without_refs_comes_from_the_router(routed):
    assert choose(rule(routed, "blocked"), routed).model == "router"


def test_several_refs_without_weights_take_the_first():
    document = loads("routing: {modelCards: [{name: a}, {name: b}]}").document
    several = DecisionRule(name="d", model_refs=(ModelRef(model="a"), ModelRef(model="b")))
    assert {choose(several, document, seed=bytes([i])).model for i in range(20)} == {"a"}
    assert choose(several, document).algorithm == "static"


def test_an_algorithm_that_srd_does_not_have_takes_the_first_ref_as_static(routed):
    refs = (ModelRef(model="general", weight=1), ModelRef(model="base", weight=99))
    clever = DecisionRule(name="d", model_refs=refs, algorithm=Algorithm(type="knn"))
    chosen = {choose(clever, routed, seed=bytes([i])).model for i in range(50)}
    assert chosen == {"general"}
    assert choose(clever, routed).algorithm == "static"


def test_weights_share_out_seeds_and_a_ref_without_weight_gets_none(routed):
    split = rule(routed, "split")
    seeds = [i.to_bytes(2, "big") for i in range(2000)]
    shares = Counter(choose(split, routed, seed=seed).model for seed in seeds)
    assert shares.keys() == {"base", "general"}
    assert 0.70 < shares["base"] / len(seeds) < 0.80


def test_equal_seeds_choose_the_same_model(routed):
    split = rule(routed, "split")
    assert choose(split, routed, seed=b"x") == choose(split, routed, seed=b"x")


def test_the_upstream_id_is_the_external_one_then_the_providers_then_the_name(routed):
    assert upstream_id("general", routed) == "org/general"
    assert upstream_id("base", routed) == "org/base-7b"
    assert upstream_id("hosted", routed) == "gpt-x"
    assert upstream_id("unheard-of", routed) == "unheard-of"


def test_an_adapter_keeps_its_name_although_its_base_has_another_id(routed):
    assert named("math-expert", routed).upstream_model == "math-expert"


@pytest.mark.parametrize(
    ("ref", "host"),
    [
        ({"endpoint": "Base.svc:8000"}, "base.svc"),
        ({"endpoint": "https://api.deepseek.com"}, "api.deepseek.com"),
        ({"base_url": "https://openrouter.ai/api/v1", "endpoint": "x:1"}, "openrouter.ai"),
        ({"endpoint": "[::1]:8000"}, "::1"),
    ],
)
def test_the_host_is_that_of_the_first_backend(ref, host):
    models = {"name": "m", "backend_refs": [ref, {"endpoint": "o:1"}]}
    cards = {"name": "m", "loras": [{"name": "l"}]}
    text = json.dumps({"providers": {"models": [models]}, "routing": {"modelCards": [cards]}})
    document = loads(text).document
    assert backend_host("m", document) == backend_host("l", document) == host


def test_a_model_without_backends_has_no_host(routed):
    assert backend_host("unheard-of", routed) == ""


def test_the_base_of_an_adapter_is_the_refs_card_even_when_a_card_has_its_name():
    document = loads(
        "routing: {modelCards: [{name: base, loras: [{name: expert}]}, {name: expert}]}"
    ).document
    single = DecisionRule(name="d", model_refs=(ModelRef(model="base", lora_name="expert"),))
    choice = choose(single, document)
    assert (choice.model, choice.base_model) == ("expert", "base")
