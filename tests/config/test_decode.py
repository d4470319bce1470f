import re

import pytest

from srd.config.decode import MAX_TEXT
from srd.config.document import Document
from srd.config.rules import ALWAYS, Branch, Leaf


def _said(problems: list) -> list[str]:
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("old", "new", "path", "what"),
    [
        ("default_model: base", "default_modl: base", "providers.defaults.default_modl",
         'unknown key (did you mean "default_model"?)'),
        ("providers:", "provider:", "provider", 'unknown key (did you mean "providers"?)'),
        ("modelCards:", "modelcards:", "routing.modelcards",
         'unknown key (did you mean "modelCards"?)'),
        ("modelRefs:", "model_refs:", "routing.decisions[0].model_refs",
         'unknown key (did you mean "modelRefs"?)'),
        ("priority: 10", "priorty: 10", "routing.decisions[0].priorty",
         'unknown key (did you mean "priority"?)'),
        ("use_reasoning:", "use_resoning:", "routing.decisions[0].modelRefs[0].use_resoning",
         'unknown key (did you mean "use_reasoning"?)'),
        ("keywords: [think]", "keyword: [think]", "routing.signals.keywords[0].keyword",
         'unknown key (did you mean "keywords"?)'),
        ("{type: domain, name: math}", "{type: domain, nam: math}",
         "routing.decisions[0].rules.conditions[0].nam",
         'unknown key (did you mean "name"?)'),
        ("{type: domain, name: math}", "{type: domian, name: math}",
         "routing.decisions[0].rules.conditions[0].type",
         '"domian" is not known here (did you mean "domain"?)'),
        ("rules: {operator: OR", "rules: {operator: or",
         "routing.decisions[0].rules.operator",
         '"or" is not known here (did you mean "OR"?)'),
        ("rules: {operator: OR", "rules: {operater: OR", "routing.decisions[0].rules.operater",
         'unknown key (did you mean "operator"?)'),
        ("{name: thinking, operator: OR", "{name: thinking, operator: XOR",
         "routing.signals.keywords[0].operator",
         '"XOR" is not known here (did you mean "OR"?)'),
        ("{name: thinking, operator: OR, ", "{name: thinking, ", "routing.signals.keywords[0]",
         '"operator" is missing (one of "AND", "OR", "NOR")'),
        ("type: chat_template_kwargs", "type: chat_template",
         "providers.defaults.reasoning_families.qwen3.type",
         '"chat_template" is not known here (did you mean "chat_template_kwargs"?)'),
        ("priority: 10", "priority: high", "routing.decisions[0].priority",
         'expected a whole number, got "high"'),
        ("use_reasoning: true", "use_reasoning: 1",
         "routing.decisions[0].modelRefs[0].use_reasoning",
         "expected true or false, got the number 1"),
        ("use_reasoning: true", 'use_reasoning: "true"',
         "routing.decisions[0].modelRefs[0].use_reasoning",
         'expected true or false, got the text "true" (write it without quotes)'),
        ("keywords: [think]", "keywords: think", "routing.signals.keywords[0].keywords",
         'expected a list, got "think" (begin each item with a dash)'),
        ("keywords: [think]", "keywords: [[think]]", "routing.signals.keywords[0].keywords[0]",
         "expected text, got a list"),
        ("name: math_decision", "name: [x]", "routing.decisions[0].name",
         "expected text, got a list"),
        ("name: math_decision", "name: 7", "routing.decisions[0].name",
         'expected text, got the number 7 (write "7" in quotes)'),
        ("name: math_decision", 'name: ""', "routing.decisions[0].name", "must not be empty"),
        ("- name: math_decision\n", "- description: x\n", "routing.decisions[0]",
         '"name" is missing'),
        ("modelRefs: [{model: base, lora_name: math-expert, use_reasoning: true}]",
         "modelRefs: {model: base}", "routing.decisions[0].modelRefs",
         "expected a list, got a mapping (begin each item with a dash)"),
        ("modelRefs: [{model: base, lora_name: math-expert, use_reasoning: true}]",
         "modelRefs: [base]", "routing.decisions[0].modelRefs[0]",
         'expected a mapping, got "base"'),
    ],
)  # fmt: skip
def test_one_slip_is_one_problem_with_its_path_and_a_suggestion(
    refuse, minimal: str, old: str, new: str, path: str, what: str
) -> None:
    assert minimal.count(old) == 1
    text = minimal.replace(old, new)
    said = _said(refuse(text))
    assert f"{path}: {what}" in said
    # What the slip left out may be missed elsewhere, but the slip itself is named once.
    assert sum(line.startswith(f"{path}: ") for line in said) == 1


def test_a_problem_stands_in_the_line_of_its_key(refuse, minimal: str) -> None:
    text = minimal.replace("priority: 10", "priority:\n        - 1")
    line = text.splitlines().index("      priority:") + 1
    assert [problem.line for problem in refuse(text)] == [line]


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("streamed_body: {}", "global.router"),
        ("decisions: []", "routing"),
        ("default_model: x", "providers.defaults"),
        ("mmlu_categories: []", "routing.signals.domains[]"),
    ],
)
def test_a_key_in_the_wrong_place_is_told_where_it_belongs(
    refuse, minimal: str, key: str, place: str
) -> None:
    problem = refuse(f"{minimal}{key}\n")[0]
    assert (problem.what, problem.hint) == ("unknown key", f"it belongs to {place}")


def test_a_key_that_lacks_a_word_is_told_the_whole_name(refuse, minimal: str) -> None:
    plugin = "{type: system_prompt, configuration: {prompt: hi}}"
    text = minimal.replace("priority: 10", f"priority: 10\n      plugins: [{plugin}]")
    [problem] = refuse(text)
    assert (problem.what, problem.hint) == ("unknown key", 'did you mean "system_prompt"?')


@pytest.mark.parametrize("empty", ["", "~", "null"])
def test_an_empty_value_counts_as_not_written(take, minimal: str, empty: str) -> None:
    text = minimal.replace("priority: 10", f"priority: {empty}").replace(
        "use_reasoning: true", f"use_reasoning: {empty}"
    )
    decision = take(text).routing.decisions[0]
    assert decision.priority == 0
    assert decision.model_refs[0].use_reasoning is False


@pytest.mark.parametrize(
    ("rules", "tree"),
    [
        ("{}", ALWAYS),
        ("", ALWAYS),
        ("{operator: AND}", Branch(operator="AND")),
        ("{operator: AND, conditions: []}", Branch(operator="AND")),
        ("{type: domain, name: math}", Leaf(type="domain", name="math")),
        (
            "{operator: NOT, conditions: [{operator: OR, conditions: [{type: keyword, "
            "name: thinking}]}]}",
            Branch(
                operator="NOT",
                conditions=(
                    Branch(operator="OR", conditions=(Leaf(type="keyword", name="thinking"),)),
                ),
            ),
        ),
    ],
)
def test_a_rule_is_a_leaf_a_branch_or_nothing(take, minimal: str, rules: str, tree: object) -> None:
    text = re.sub(r"rules: .*", f"rules: {rules}", minimal)
    assert take(text).routing.decisions[0].rules == tree


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ("{operator: NOT, conditions: []}", "NOT takes exactly one condition, not 0"),
        ("{operator: NOT, conditions: [{operator: AND}, {operator: AND}]}",
         "NOT takes exactly one condition, not 2"),
        ("{type: domain, name: math, operator: OR}", "not both"),
        ("{conditions: []}", '"operator" is missing'),
        ("{name: math}", '"type" is missing'),
        ("[]", "expected a mapping, got a list"),
        ("math", 'expected a mapping, got "math"'),
        ("{operater: OR}", 'unknown key (did you mean "operator"?)'),
        ("{type: domain, name: math, label: x}", "label belongs to classifier leaves only"),
    ],
)  # fmt: skip
def test_a_rule_that_is_neither_is_refused(refuse, minimal: str, rules: str, what: str) -> None:
    text = re.sub(r"rules: .*", f"rules: {rules}", minimal)
    assert any(what in line for line in _said(refuse(text)))


@pytest.mark.parametrize(
    ("plugins", "path", "what"),
    [
        ("[{type: system_promt}]", "plugins[0].type",
         'there is no plugin "system_promt" (did you mean "system_prompt"?)'),
        ("[{configuration: {}}]", "plugins[0]", '"type" is missing'),
        ("[{type: jailbreak}]", "plugins[0].type",
         'there is no plugin "jailbreak" (jailbreak is a signal; block with a decision and a '
         "fast_response plugin)"),
        ("[{type: fast_response}]", "plugins[0].configuration", '"message" is missing'),
        ("[{type: system_prompt, configuration: {mode: append}}]",
         "plugins[0].configuration.mode",
         '"append" is not known here (known: "insert", "replace")'),
        ("[{type: system_prompt, configuration: {text: x}}]", "plugins[0].configuration.text",
         'unknown key (known: "enabled", "system_prompt", "mode")'),
        ("[{type: system_prompt, config: {}}]", "plugins[0].config",
         'unknown key (did you mean "configuration"?)'),
        ("[{type: system_prompt}, {type: system_prompt}]", "plugins[1].type",
         'there are two plugins of type "system_prompt" '
         "(the first is routing.decisions[0].plugins[0])"),
        ("[{type: semantic-cache}, {type: response_cache}]", "plugins[1].type",
         'there are two plugins of type "response_cache" '
         "(the first is routing.decisions[0].plugins[0])"),
        ("[{type: request_params, configuration: {max_n: 0}}]",
         "plugins[0].configuration.max_n", "must be at least 1, got 0"),
        ("[system_prompt]", "plugins[0]", 'expected a mapping, got "system_prompt"'),
    ],
)  # fmt: skip
def test_a_plugin_is_checked_by_its_type(
    refuse, minimal: str, plugins: str, path: str, what: str
) -> None:
    text = minimal.replace(
        "      priority: 10\n", f"      priority: 10\n      plugins: {plugins}\n"
    )
    assert _said(refuse(text)) == [f"routing.decisions[0].{path}: {what}"]


def test_an_old_name_of_a_plugin_is_taken_with_a_warning(warned, take, minimal: str) -> None:
    text = minimal.replace(
        "      priority: 10\n", "      priority: 10\n      plugins: [{type: semantic-cache}]\n"
    )
    assert take(text).routing.decisions[0].plugins[0].type == "response_cache"
    assert "routing.decisions[0].plugins[0].type" in [problem.path for problem in warned(text)]


def test_a_key_that_stands_twice_is_refused_with_both_lines(refuse, minimal: str) -> None:
    text = minimal.replace("priority: 10", "priority: 10\n      priority: 11")
    problem = refuse(text)[0]
    first = text.splitlines().index("      priority: 10") + 1
    assert problem.path == "routing.decisions[0].priority"
    assert problem.hint == f"first in line {first}"
    assert problem.line == first + 1


@pytest.mark.parametrize("key", ["1", "true", "[a]", "{a: 1}"])
def test_a_key_that_is_not_text_is_refused(refuse, minimal: str, key: str) -> None:
    problems = refuse(f"{minimal}global:\n  ? {key}\n  : x\n")
    assert [problem.path for problem in problems] == ["global"]
    assert problems[0].what.startswith("a key must be text")


def test_variables_stand_for_text_numbers_and_booleans(take, minimal: str) -> None:
    text = (
        minimal.replace("priority: 10", 'priority: "${PRIORITY}"')
        .replace("use_reasoning: true", "use_reasoning: '${THINK:-true}'")
        .replace("default_model: base", "default_model: $MODEL")
        .replace("keywords: [think]", "keywords: ['$$5', '${NUMBER}', 'a$']")
    )
    document = take(text, {"PRIORITY": "7", "MODEL": "law-expert", "NUMBER": "404"})
    decision = document.routing.decisions[0]
    assert decision.priority == 7
    assert decision.model_refs[0].use_reasoning is True
    assert document.default_model == "law-expert"
    assert document.routing.signals.keywords[0].keywords == ("$5", "404", "a$")


def test_an_unset_variable_without_default_is_warned_about(warned, minimal: str) -> None:
    text = minimal.replace("keywords: [think]", "keywords: [think, 'it costs $USD']")
    [problem] = warned(text)
    assert problem.path == "routing.signals.keywords[0].keywords[1]"
    assert problem.what.startswith("environment variable USD is not set")


def test_a_variable_of_the_wrong_type_is_refused_with_what_it_holds(refuse, minimal: str) -> None:
    text = minimal.replace("priority: 10", "priority: ${PRIORITY}")
    [problem] = refuse(text, {"PRIORITY": "high"})
    assert str(problem).endswith('expected a whole number, got "high"')


def test_variables_cannot_blow_the_document_up(refuse, minimal: str) -> None:
    words = ", ".join(["$BIG"] * 40)
    text = minimal.replace("keywords: [think]", f"keywords: [{words}]")
    problems = refuse(text, {"BIG": "x" * (MAX_TEXT // 20)})
    assert [p.what for p in problems] == [
        "environment variables make the document larger than 16 MiB"
    ]


def test_everything_that_is_wrong_is_reported_at_once_in_order(refuse, minimal: str) -> None:
    text = (
        minimal.replace("default_model: base", "default_model: bse")
        .replace("operator: OR, keywords", "operator: or, keywords")
        .replace("priority: 10", "priority: high")
        .replace("lora_name: math-expert", "lora_name: math-exprt")
        + "globl: {}\n"
    )
    problems = refuse(text)
    assert [problem.path for problem in problems] == [
        "providers.defaults.default_model",
        "routing.signals.keywords[0].operator",
        "routing.decisions[0].priority",
        "routing.decisions[0].modelRefs[0].lora_name",
        "globl",
    ]
    lines = [problem.line for problem in problems]
    assert lines == sorted(lines)


def test_a_broken_list_does_not_blame_what_refers_to_it(refuse, minimal: str) -> None:
    text = minimal.replace("domains:\n      - {name: math}", "domains: math")
    assert [problem.path for problem in refuse(text)] == ["routing.signals.domains"]


def test_a_document_decodes_to_structs_with_defaults(take, minimal: str) -> None:
    document = take(minimal)
    assert isinstance(document, Document)
    assert document.global_.router.streamed_body.early_decision.budget_bytes == 65536
    assert document.routing.decisions[0].model_refs[0].selected == "math-expert"


def test_where_unknown_keys_pass_a_slip_of_a_known_one_does_not(refuse, take) -> None:
    text = "global: {stores: {response_cache: {enabled: false, %s: 1}}}"
    assert take(text % "redis_cluster_size")
    [problem] = refuse(text % "similarity_treshold")
    assert problem.hint == 'did you mean "similarity_threshold"?'
