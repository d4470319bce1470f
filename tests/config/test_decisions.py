import msgspec
import pytest

from srd.config.decisions import ALWAYS, DecisionRule, ModelRef, blocks
from srd.config.plugins import FastResponseConfig, Plugin, SystemPromptConfig
from srd.config.rules import Branch, Leaf


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


@pytest.mark.parametrize(
    ("leaf_type", "guards"),
    [
        ("jailbreak", True),
        ("pii", True),
        ("keyword", True),
        ("classifier", True),
        ("domain", False),
        ("context", False),
    ],
)
def test_an_answer_blocks_over_a_leaf_that_guards_unless_the_decision_says(
    leaf_type: str, guards: bool
) -> None:
    leaf = Leaf(type=leaf_type, name="x")
    deep = Branch(operator="NOT", conditions=(Branch(operator="OR", conditions=(leaf,)),))
    for rules in (leaf, deep):
        answers = DecisionRule(name="d", rules=rules, plugins=(ANSWER,))
        assert blocks(answers) is guards
        assert not blocks(DecisionRule(name="d", rules=rules))
        for said in (True, False):
            assert blocks(DecisionRule(name="d", rules=rules, blocking=said)) is said
            spoken = msgspec.structs.replace(answers, blocking=said)
            assert blocks(spoken) is said
