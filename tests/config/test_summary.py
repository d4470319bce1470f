from pathlib import Path

import pytest

from srd.config import load, load_default
from srd.config.decisions import Kind
from srd.config.scope import Early
from srd.config.summary import summary

BLOCKED = """\
routing:
  modelCards: [{name: m, loras: [{name: fast}]}, {name: other}]
  signals:
    keywords: [{name: k, operator: OR, keywords: [x]}, {name: unused, operator: OR, keywords: [y]}]
    jailbreak: [{name: j%(scope)s}]
  decisions:
    - {name: block, priority: 9, rules: {type: jailbreak, name: j},
       plugins: [{type: fast_response, configuration: {message: no}}]%(more)s}
    - {name: quick, priority: 1, rules: {operator: OR, conditions: [{type: keyword, name: k},
       {operator: NOT, conditions: [{type: jailbreak, name: j}]}]},
       modelRefs: [{model: m, lora_name: fast}, {model: other}],
       plugins: [{type: system_prompt, configuration: {system_prompt: be brief}}]}
providers: {defaults: {default_model: m}}
global: {router: {streamed_body: {early_decision: {%(early)s}}}}
"""


def _summary(take, scope: str = "", early: str = "", more: str = ""):
    return summary(take(BLOCKED % {"scope": scope, "early": early, "more": more}))


CANNED = ", blocking: false"


def test_decisions_come_ranked_with_what_they_do(take) -> None:
    found = _summary(take)
    block, quick = found.decisions
    assert (block.name, block.priority, block.when) == ("block", 9, "jailbreak:j")
    assert block.plugins == ("fast_response",)
    assert quick.models == ("fast", "other")
    assert quick.when == "keyword:k OR NOT jailbreak:j"


def test_models_and_signals_are_listed_with_their_scope_and_use(take) -> None:
    found = _summary(take)
    assert [(model.name, model.adapters) for model in found.models] == [
        ("m", ("fast",)),
        ("other", ()),
    ]
    assert [(s.type, s.name, s.scope, s.used) for s in found.signals] == [
        ("keyword", "k", "window", True),
        ("keyword", "unused", "window", False),
        ("jailbreak", "j", "full", True),
    ]
    assert found.whole_body == ("jailbreak:j",)


def test_a_rule_that_prevents_early_decisions_is_named_with_what_to_do(take) -> None:
    text = _summary(take, more=CANNED).text()
    assert "No decision can fall early: jailbreak:j must see the whole body." in text
    assert "scope: window" in text
    assert "tail_insertion" in text


def test_a_window_scope_makes_the_same_decisions_early(take) -> None:
    found = _summary(take, scope=", scope: window", more=CANNED)
    assert {line.early for line in found.decisions} == {Early.YES}
    assert found.whole_body == ()
    assert "Every decision can fall early" in found.text()


def test_switched_off_early_decisions_are_said_to_be_off(take) -> None:
    text = _summary(take, early="enabled: false").text()
    assert "Early decisions are off" in text
    assert "No decision can fall early" not in text


def test_tail_insertion_names_the_system_prompts_it_cannot_apply(take) -> None:
    assert "cannot be applied to it: quick." in _summary(take, early="tail_insertion: true").text()
    assert "cannot be applied" not in _summary(take).text()


def test_a_rule_that_only_sometimes_matters_is_named(take) -> None:
    text = (BLOCKED % {"scope": "", "early": "", "more": CANNED}).replace(
        "rules: {type: jailbreak, name: j},",
        "rules: {operator: AND, conditions: [{type: keyword, name: unused}, "
        "{type: jailbreak, name: j}]},",
    )
    found = summary(take(text))
    assert [line.early for line in found.decisions] == [Early.NO, Early.SOMETIMES]
    assert "1 of 2 decisions cannot fall early: jailbreak:j" in found.text()
    assert "Early only while jailbreak:j cannot matter: quick." in found.text()


def test_the_default_configuration_can_always_decide_early() -> None:
    found = summary(load_default().document)
    assert {line.early for line in found.decisions} == {Early.YES}
    assert found.decisions[0].name == "thinking_decision"
    assert found.decisions[-1].name == "general_decision"
    text = found.text()
    assert text.startswith("15 decisions by priority, 1 model with 6 adapters, 15 signals in use")
    assert "Without a match: base-model." in text


def test_the_streaming_values_cannot_decide_early(seed: Path) -> None:
    found = summary(load(seed / "values-streaming.yaml", env={}).document)
    assert {line.early for line in found.decisions} == {Early.NO}
    assert found.whole_body == ("jailbreak:jailbreak_standard", "pii:pii_deny_all")
    assert [line.name for line in found.decisions][-1] == "general_decision"
    assert found.decisions[-1].when == "always"


@pytest.mark.parametrize("text", ["global: {}", "routing: {}"])
def test_an_empty_document_has_a_summary(take, text: str) -> None:
    found = summary(take(text)).text()
    assert found.startswith("0 decisions by priority, 0 models")
    assert "Without a match: no model." in found


def test_a_decision_that_never_matches_is_named(take) -> None:
    text = "routing: {decisions: [{name: lost, modelRefs: [{model: m}], rules: {operator: OR}}]}"
    found = summary(take(text)).text()
    assert "Never matches: lost." in found
    assert "cannot fall early" not in found


def test_no_cell_of_the_table_grows_without_end(take) -> None:
    names = [f"model-{n}" for n in range(40)]
    cards = ", ".join(f"{{name: {name}}}" for name in names)
    refs = ", ".join(f"{{model: {name}}}" for name in names)
    document = take(f"""
routing:
  modelCards: [{cards}]
  decisions: [{{name: d, modelRefs: [{refs}], algorithm: {{type: static}}}}]
""")
    assert max(len(line) for line in summary(document).text().splitlines()) < 120
    assert summary(document).decisions[0].models == tuple(names)


# -- blocking --------------------------------------------------------------------------------------


def test_each_decision_says_whether_it_routes_answers_or_blocks(take) -> None:
    assert [line.kind for line in _summary(take).decisions] == [Kind.BLOCK, Kind.ROUTE]
    assert [line.kind for line in _summary(take, more=CANNED).decisions] == [
        Kind.CANNED,
        Kind.ROUTE,
    ]
    rows = _summary(take).text().splitlines()
    assert rows[3].split()[:3] == ["PRIORITY", "DECISION", "DOES"]
    assert [row.split()[2] for row in rows[4:6]] == ["blocks", "routes"]
    assert "Answers without a model, and does not block: block." in (
        _summary(take, more=CANNED).text()
    )


def test_what_blocking_costs_is_said_and_how_to_do_without(take) -> None:
    text = _summary(take, scope=", scope: window").text()
    assert "Blocks: block. While one of these can still win, a body is held whole, up to\n" in text
    assert "  33554432 bytes (global.router.limits.max_request_bytes_held), instead" in text
    assert "set `blocking: false` on the decisions that block" in text
    assert "Blocks:" not in _summary(take, more=CANNED).text()


def test_a_rule_under_a_blocking_decision_needs_the_whole_body_whatever_it_says(take) -> None:
    found = _summary(take, scope=", scope: window")
    assert [line.early for line in found.decisions] == [Early.NO, Early.NO]
    assert found.whole_body == ("jailbreak:j",)
    line = next(line for line in found.signals if line.type == "jailbreak")
    assert (line.scope, line.blocking) == ("window", True)


@pytest.mark.parametrize(
    ("settings", "missing", "named"),
    [
        ("", "is refused\n  (global.router.blocking: on_error refuse, mode enforce)",
         "is not inspected (blocking_applies_to auto)"),
        ("blocking: {on_error: allow}, ",
         "passes as if they did not match\n"
         "  (global.router.blocking: on_error allow, mode enforce)",
         "is not inspected (blocking_applies_to auto)"),
        ("blocking: {mode: observe}, blocking_applies_to: all, ",
         "is counted and logged, and passes\n"
         "  (global.router.blocking: on_error refuse, mode observe)",
         "waits for them too (blocking_applies_to all)"),
    ],
)  # fmt: skip
def test_what_holds_where_a_blocking_rule_was_not_evaluated_is_stated(
    take, settings: str, missing: str, named: str
) -> None:
    text = (BLOCKED % {"scope": "", "early": "", "more": ""}).replace(
        "{router: {", "{router: {" + settings
    )
    lines = summary(take(text)).text()
    assert f"  A request on which their rules were not evaluated {missing}.\n" in lines
    assert f"  A request that names a model {named}." in lines


def test_a_routing_decision_that_refuses_what_it_could_not_evaluate_is_named(take) -> None:
    text = BLOCKED % {"scope": "", "early": "", "more": CANNED}
    strict = text.replace("name: k}", "name: k, on_unknown: fail_request}")
    said = "Does not block, but refuses a request that was not evaluated (on_unknown, "
    assert f"{said}prompt_guard.on_error): quick." in summary(take(strict)).text()
    assert said not in summary(take(text)).text()
