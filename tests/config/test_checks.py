import pytest

from srd.config import loads


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("default_model: base", "default_model: bse",
         'providers.defaults.default_model: there is no model card or adapter "bse" '
         '(did you mean "base"?)'),
        ("reasoning_family: qwen3", "reasoning_family: qwen",
         'providers.models[0].reasoning_family: there is no reasoning family "qwen" '
         '(did you mean "qwen3"?)'),
        ("    - name: base\n      reasoning", "    - name: bas\n      reasoning",
         'providers.models[0].name: there is no model card "bas" (did you mean "base"?)'),
        ("model: base, lora", "model: bse, lora",
         'routing.decisions[0].modelRefs[0].model: there is no model card "bse" '
         '(did you mean "base"?)'),
        ("lora_name: math-expert", "lora_name: maths-expert",
         'routing.decisions[0].modelRefs[0].lora_name: model "base" has no adapter '
         '"maths-expert" (did you mean "math-expert"?)'),
        ("lora_name: math-expert", "lora_name: base",
         'routing.decisions[0].modelRefs[0].lora_name: model "base" has no adapter "base" '
         '(known: "math-expert", "law-expert")'),
        ("[{name: math-expert}, {name: law-expert}]", "[{name: math-expert}, {name: math-expert}]",
         'routing.modelCards[0].loras[1].name: there are two adapters named "math-expert" '
         "(the first is routing.modelCards[0].loras[0])"),
        ('{endpoint: "127.0.0.1:8000"}', "{name: x}",
         "providers.models[0].backend_refs[0]: a backend needs an endpoint or a base_url"),
        ("type: chat_template_kwargs, parameter", "type: top_level_reasoning_effort, parameter",
         "providers.defaults.reasoning_families.qwen3.parameter: the parameter of "
         "top_level_reasoning_effort must be reasoning_effort"),
    ],
)  # fmt: skip
def test_a_name_that_nothing_has_is_refused(
    refuse, minimal: str, old: str, new: str, problem: str
) -> None:
    assert minimal.count(old) == 1
    assert [str(found) for found in refuse(minimal.replace(old, new))] == [problem]


@pytest.mark.parametrize(
    ("item", "path", "what"),
    [
        ("    - name: base\n      loras:", "routing.modelCards[1].name", "two model cards"),
        ("    - name: base\n      reasoning", "providers.models[1].name", "two provider models"),
        ("    - name: math_decision\n", "routing.decisions[1].name", "two decisions"),
    ],
)
def test_a_name_that_stands_twice_is_refused(
    refuse, minimal: str, item: str, path: str, what: str
) -> None:
    name = item.split("\n")[0].strip().removeprefix("- name: ")
    extra = {
        "routing.decisions[1].name": "\n      modelRefs: [{model: base}]",
        "providers.models[1].name": "\n      reasoning_family: qwen3",
    }.get(path, "")
    assert minimal.count(item) == 1
    start, rest = minimal.split(item)
    # The twin comes first in the file, so the document's own entry is the second one.
    text = f"{start}    - name: {name}{extra}\n{item}{rest}"
    [problem] = refuse(text)
    assert problem.path == path
    assert what in problem.what
    assert problem.hint == f"the first is {path.replace('[1].name', '[0]')}"


@pytest.mark.parametrize("model", ["base", "math-expert", "law-expert"])
def test_a_default_model_is_a_card_or_an_adapter(take, minimal: str, model: str) -> None:
    document = take(minimal.replace("default_model: base", f"default_model: {model}"))
    assert document.default_model == model


def test_a_model_ref_may_name_an_adapter_as_the_model(take, minimal: str) -> None:
    text = minimal.replace("model: base, lora_name: math-expert", "model: law-expert")
    assert take(text).routing.decisions[0].model_refs[0].selected == "law-expert"


def test_without_model_cards_any_model_may_be_named(take) -> None:
    document = take(
        "routing: {decisions: [{name: a, modelRefs: [{model: anything}]}]}\n"
        "providers: {defaults: {default_model: whatever}}\n"
    )
    assert document.known_models() == frozenset()


def test_a_missing_default_model_is_a_warning(warned, minimal: str) -> None:
    text = minimal.replace("    default_model: base\n", "")
    assert [problem.path for problem in warned(text)] == ["providers.defaults.default_model"]


def test_a_decision_that_leads_nowhere_is_refused(refuse, take) -> None:
    decision = "routing: {decisions: [{name: a%s}]}"
    assert [p.path for p in refuse(decision % "")] == ["routing.decisions[0]"]
    answer = ", plugins: [{type: fast_response, configuration: {message: no}}]"
    assert take(decision % answer).routing.decisions[0].model_refs == ()


def test_recipes_have_unique_names(refuse) -> None:
    text = "routing: {}\nrecipes: [{name: a, routing: {}}, {name: a, routing: {}}]\n"
    assert [problem.path for problem in refuse(text)] == ["recipes[1].name"]


def test_a_provider_entry_must_say_something(refuse) -> None:
    [problem] = refuse("routing: {}\nproviders: {models: [{name: m}]}\n")
    assert problem.path == "providers.models[0]"


def test_an_unknown_algorithm_is_refused(refuse) -> None:
    text = "routing: {decisions: [{name: a, modelRefs: [{model: m}], algorithm: {type: statik}}]}"
    [problem] = refuse(text)
    assert problem.hint == 'did you mean "static"?'


@pytest.mark.parametrize(("version", "warnings"), [("v0.3", 0), ("v0.4", 1)])
def test_another_version_is_a_warning(version: str, warnings: int) -> None:
    found = loads(f"version: {version}\nrouting: {{}}\n").warnings
    assert [w.path for w in found] == ["version"] * warnings


@pytest.mark.parametrize(
    ("router", "path"),
    [
        ("auto_model_name: m", "global.router.auto_model_name"),
        ("auto_model_names: [m, x]", "global.router.auto_model_names"),
    ],
)
def test_an_auto_name_that_is_a_model_too_is_a_warning(router: str, path: str) -> None:
    text = f"routing: {{modelCards: [{{name: m}}]}}\nglobal: {{router: {{{router}}}}}"
    [warning] = loads(text).warnings
    assert warning.path == path
    assert '"m" is a model too' in warning.what


MODULES = """
routing:
  modelCards: [{name: m}]
  signals: {pii: [{name: p}], jailbreak: [{name: j}]}
  decisions:
    - name: d
      rules: {operator: OR, conditions: [{type: pii, name: p}, {type: domain, name: law}]}
      modelRefs: [{model: m}]
providers: {defaults: {default_model: m}}
global: {model_catalog: {modules: %s}}
"""


@pytest.mark.parametrize(
    ("modules", "paths"),
    [
        ("{classifier: {pii: {enabled: false}}}", ["classifier.pii.enabled"]),
        ("{classifier: {domain: {enabled: false}}}", ["classifier.domain.enabled"]),
        ("{classifier: {domain: {enabled: true}}}", []),
        ("{prompt_guard: {enabled: false}}", []),  # no decision asks for it
    ],
)
def test_a_classifier_that_is_off_and_asked_for_is_a_warning(
    modules: str, paths: list[str]
) -> None:
    found = loads(MODULES % modules).warnings
    assert [w.path for w in found] == [f"global.model_catalog.modules.{path}" for path in paths]
