import pytest

from srd.config.decisions import ALWAYS, DecisionRule, Kind, ModelRef, kind_of
from srd.config.plugins import FastResponseConfig, Plugin, SystemPromptConfig
from srd.config.rules import Branch, Leaf
from srd.signals.table import LEAF_TYPES


def test_the_selected_name_is_the_adapters_where_one_is_named() -> None:
    assert ModelRef(model="base").selected == "base"
    assert ModelRef(model="base", lora_name="math").selected == "math"


def test_a_plugin_is_found_by_its_configuration() -> None:
    prompt = SystemPromptConfig(system_prompt="x")
    rule = DecisionRule(name="a", plugins=(Plugin(type="system_prompt", configuration=prompt),))
    assert rule.plugin(SystemPromptConfig) is prompt
    assert rule.plugin(FastResponseConfig) is None


def test_a_decision_without_rules_always_matches() -> None:
    assert DecisionRule(name="a").rules is ALWAYS


ANSWER = Plugin(type="fast_response", configuration=FastResponseConfig(message="No."))
PROMPT = Plugin(type="system_prompt", configuration=SystemPromptConfig(system_prompt="x"))
GUARDS = ("jailbreak", "pii", "classifier", "keyword")


@pytest.mark.parametrize("leaf_type", LEAF_TYPES)
@pytest.mark.parametrize("plugin", [ANSWER, PROMPT])
@pytest.mark.parametrize("blocking", [None, True, False])
def test_what_a_decision_does(leaf_type: str, plugin: Plugin, blocking: bool | None) -> None:
    rules = Branch(operator="NOT", conditions=(Leaf(type=leaf_type, name="x"),))
    rule = DecisionRule(name="a", rules=rules, plugins=(plugin,), blocking=blocking)
    guards = plugin is ANSWER and leaf_type in GUARDS
    if blocking or (blocking is None and guards):
        expected = Kind.BLOCK
    else:
        expected = Kind.CANNED if plugin is ANSWER else Kind.ROUTE
    assert kind_of(rule) is expected


def test_one_leaf_that_refuses_is_enough() -> None:
    domain, keyword = Leaf(type="domain", name="law"), Leaf(type="keyword", name="k")
    rules = Branch(operator="OR", conditions=(domain, keyword))
    assert kind_of(DecisionRule(name="a", rules=rules, plugins=(ANSWER,))) is Kind.BLOCK
    assert kind_of(DecisionRule(name="a", rules=domain, plugins=(ANSWER,))) is Kind.CANNED
    assert kind_of(DecisionRule(name="a", plugins=(ANSWER,))) is Kind.CANNED
