from pathlib import Path

import jsonschema
import pytest
import yaml

from srd.config import ConfigErrors, loads
from srd.config.schema import schema

VALIDATOR = jsonschema.Draft202012Validator(schema())


def test_it_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "name", ["values-agentgateway.yaml", "values-ai-gateway.yaml", "values-streaming.yaml"]
)
def test_the_seed_guides_documents_are_valid(seed: Path, name: str) -> None:
    VALIDATOR.validate(yaml.safe_load((seed / name).read_text())["config"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("priority: 10", "priorty: 10"),
        ("priority: 10", "priority: high"),
        ("operator: OR, keywords", "operator: or, keywords"),
        ("type: domain", "type: domian"),
        ("keywords: [think]", "keywords: think"),
        ("modelCards:", "modelcards:"),
        ("use_reasoning: true", "use_reasoning: 1"),
        ("      priority: 10\n", "      priority: 10\n      plugins: [{type: system_promt}]\n"),
        (
            "      priority: 10\n",
            "      plugins: [{type: system_prompt, configuration: {mode: x}}]\n",
        ),
        ("      priority: 10\n", "      plugins: [{type: fast_response, configuration: {}}]\n"),
    ],
)
def test_the_schema_and_the_loader_refuse_the_same_slips(minimal: str, old: str, new: str) -> None:
    assert VALIDATOR.is_valid(yaml.safe_load(minimal))
    assert loads(minimal)
    slip = minimal.replace(old, new)
    assert slip != minimal
    assert not VALIDATOR.is_valid(yaml.safe_load(slip))
    with pytest.raises(ConfigErrors):
        loads(slip)


@pytest.mark.parametrize(
    "text",
    [
        "{routing: {}, global: {router: {streamed_body: {max_bytes: '${MAX:-5}', enabled: $ON}}}}",
        "routing: {signals: {context: [{name: a, min_tokens: 0, max_tokens: 32K}]}}",
        "routing: {signals: {keywords: [{name: a, operator: OR, keywords: [404]}]}}",
        "routing: {decisions: [{name: a, rules: {}, modelRefs: [{model: m}], "
        "plugins: [{type: semantic-cache}]}]}",
    ],
)
def test_what_the_loader_takes_beyond_plain_types_is_valid(text: str) -> None:
    assert loads(text, env={"ON": "true"})
    VALIDATOR.validate(yaml.safe_load(text))


def test_every_part_is_described() -> None:
    for name, definition in schema()["$defs"].items():
        if name != "RuleNode":
            assert definition["description"], name
            assert "properties" in definition or "oneOf" in definition, name


def test_only_parts_of_features_that_srd_lacks_take_unknown_keys() -> None:
    definitions = schema()["$defs"]
    for name in ("Document", "Routing", "DecisionRule", "KeywordRule", "EarlyDecision", "Leaf"):
        assert definitions[name]["additionalProperties"] is False, name
    assert "additionalProperties" not in definitions["Learning"]
