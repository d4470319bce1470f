from srd.config.decisions import ALWAYS, DecisionRule, ModelRef
from srd.config.plugins import FastResponseConfig, Plugin, SystemPromptConfig


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
