import copy
import hashlib
import json
from importlib import resources
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srd.config import ConfigErrors, load, load_default, loads
from srd.config.decode import MAX_TEXT
from srd.config.problems import Problem
from srd.config.summary import summary

VALUES = ["values-agentgateway.yaml", "values-ai-gateway.yaml", "values-streaming.yaml"]
DEFAULT = resources.files("srd.config").joinpath("default.yaml").read_text()
ADAPTERS = {
    "business": "social-expert",
    "law": "law-expert",
    "psychology": "humanities-expert",
    "biology": "science-expert",
    "chemistry": "science-expert",
    "history": "humanities-expert",
    "health": "science-expert",
    "economics": "social-expert",
    "math": "math-expert",
    "physics": "science-expert",
    "computer_science": "science-expert",
    "philosophy": "humanities-expert",
    "engineering": "science-expert",
    "thinking": "general-expert",
    "general": "general-expert",
}


@pytest.mark.parametrize("name", VALUES)
def test_the_seed_guides_values_load(seed: Path, name: str) -> None:
    loaded = load(seed / name, env={})
    assert loaded.kind == "helm values"
    assert loaded.document.routing.decisions
    assert loaded.sha256 == hashlib.sha256((seed / name).read_bytes()).hexdigest()


def test_the_agentgateway_values_mean_what_they_mean_upstream(seed: Path) -> None:
    document = load(seed / VALUES[0], env={}).document
    decisions = {d.name.removesuffix("_decision"): d for d in document.routing.decisions}
    assert {name: d.model_refs[0].selected for name, d in decisions.items()} == ADAPTERS
    thinking = {name for name, d in decisions.items() if d.model_refs[0].use_reasoning}
    assert thinking == {"chemistry", "math", "physics", "thinking"}
    priorities = {d.priority for d in document.routing.decisions}
    assert priorities == {1, 10, 20}
    assert document.default_model == "base-model"
    assert document.strategy == "priority"
    assert document.known_models() == {"base-model", *ADAPTERS.values()}
    for adapter in {*ADAPTERS.values()} - {"general-expert"}:
        family = document.reasoning_family_of(adapter)
        assert family is not None
        assert (family[0], family[1].parameter) == ("qwen3", "enable_thinking")
    [keyword] = document.routing.signals.keywords
    assert keyword.keywords == ("urgent", "immediate", "asap", "think", "careful")
    assert document.global_.router.clear_route_cache is True
    assert not document.global_.services.observability.tracing.enabled


def test_the_ai_gateway_values_differ_in_the_default_model(seed: Path) -> None:
    one = load(seed / VALUES[0], env={}).document
    two = load(seed / VALUES[1], env={}).document
    assert two.default_model == "general-expert"
    assert one.routing == two.routing


def test_the_streaming_values_mean_what_they_mean_upstream(seed: Path) -> None:
    document = load(seed / VALUES[2], env={}).document
    streamed = document.global_.router.streamed_body
    assert (streamed.enabled, streamed.max_bytes, streamed.timeout_sec) == (True, 10485760, 30)
    by_name = {d.name: d for d in document.routing.decisions}
    assert by_name["block_jailbreak"].model_refs == ()
    assert by_name["general_decision"].rules.conditions == ()
    [jailbreak], [pii] = document.routing.signals.jailbreak, document.routing.signals.pii
    assert (jailbreak.threshold, pii.threshold) == (0.6, 0.4)
    methods = [rule.method for rule in document.routing.signals.keywords]
    assert methods == ["bm25", "ngram", ""]


@pytest.mark.parametrize("name", VALUES)
def test_a_document_means_the_same_as_helm_values_as_yaml_and_as_json(
    seed: Path, name: str
) -> None:
    values = yaml.safe_load((seed / name).read_text())
    expected = load(seed / name, env={}).document
    for text in (
        json.dumps(values),
        json.dumps(values["config"], indent="\t"),
        yaml.safe_dump(values["config"]),
        yaml.safe_dump({"image": {"tag": "x"}, "replicas": 2, **values}),
    ):
        assert loads(text, env={}).document == expected


def test_which_kind_of_file_it_was_is_told(minimal: str) -> None:
    assert loads(minimal).kind == "document"
    indented = "".join(f"  {line}\n" for line in minimal.splitlines())
    wrapped = loads(f"replicas: 3\nconfig:\n{indented}")
    assert wrapped.kind == "helm values"
    assert wrapped.document == loads(minimal).document


def test_lines_are_those_of_the_values_file_and_paths_those_of_the_document(minimal: str) -> None:
    indented = "".join(f"  {line}\n" for line in minimal.splitlines())
    text = f"replicas: 3\nconfig:\n{indented}".replace("priority: 10", "priority: x")
    with pytest.raises(ConfigErrors) as caught:
        loads(text, source="values.yaml")
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "priority: x" in row)
    assert str(caught.value) == (
        f'values.yaml:{line}: routing.decisions[0].priority: expected a whole number, got "x"'
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"", "the file is empty"),
        (b"- a\n", "expected a mapping, got a list"),
        (b"just text", 'expected a mapping, got "just text"'),
        (b"{}", "the document has neither routing nor global"),
        (b"version: v0.3\nproviders: {}\n", "the document has neither routing nor global"),
        (b"confg: {routing: {}}\n", 'did you mean "config"?'),
        (b"config: {}\n", "the document has neither routing nor global"),
        (b"config: text\n", "under config: there is no mapping"),
        (b"config:\n", "under config: there is no mapping"),
        (b"config: {config: {routing: {}}}\n", "config: is twice"),
        (b"routing: {}\n\xff\n", "byte 12 is not UTF-8"),
        (b'{"routing": {}', "not JSON"),
        (b"routing: {a: [}", "not YAML"),
    ],
)
def test_a_text_that_is_no_document_is_refused(text: bytes, what: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        loads(text)
    assert what in str(caught.value)


def test_a_flow_mapping_that_is_no_json_is_still_yaml() -> None:
    assert loads("{routing: {strategy: confidence}}").document.strategy == "confidence"


def test_a_byte_order_mark_is_not_part_of_the_document(minimal: str) -> None:
    assert loads(b"\xef\xbb\xbf" + minimal.encode()).document == loads(minimal).document


def test_a_file_over_the_bound_is_refused_unread(tmp_path: Path) -> None:
    big = tmp_path / "big.yaml"
    with big.open("wb") as file:
        file.truncate(MAX_TEXT + 1)
    with pytest.raises(ConfigErrors, match="larger than 16 MiB"):
        load(big)


def test_a_file_that_cannot_be_read_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing.yaml")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


def test_the_environment_of_the_process_is_used_by_default(
    monkeypatch: pytest.MonkeyPatch, minimal: str
) -> None:
    monkeypatch.setenv("SRD_TEST_PRIORITY", "42")
    text = minimal.replace("priority: 10", "priority: ${SRD_TEST_PRIORITY}")
    assert loads(text).document.routing.decisions[0].priority == 42


def test_the_hash_is_that_of_the_text_before_variables(minimal: str) -> None:
    text = minimal.replace("priority: 10", "priority: ${N:-1}")
    assert loads(text, env={"N": "5"}).sha256 == loads(text, env={}).sha256


def test_errors_carry_the_warnings_too(minimal: str) -> None:
    text = minimal.replace("priority: 10", "priority: x") + "listeners: [{name: l}]\n"
    with pytest.raises(ConfigErrors) as caught:
        loads(text)
    assert [warning.path for warning in caught.value.warnings] == ["listeners"]


def test_the_default_configuration_is_complete_and_without_a_warning() -> None:
    loaded = load_default()
    assert loaded.warnings == ()
    decisions = {
        d.name.removesuffix("_decision"): d.model_refs[0].selected
        for d in loaded.document.routing.decisions
    }
    assert decisions == ADAPTERS
    assert len(loaded.document.routing.signals.domains) == 14
    family = loaded.document.reasoning_family_of("math-expert")
    assert family is not None
    assert family[0] == "qwen3"


def test_the_repr_tells_what_was_loaded(minimal: str) -> None:
    shown = repr(loads(minimal, source="router.yaml"))
    assert shown.startswith("<Loaded router.yaml (document) <Document v0.3 decisions=1 models=3")


def _paths(node: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children: list[tuple[str | int, object]] = []
    if isinstance(node, dict):
        children = list(node.items())
    elif isinstance(node, list):
        children = list(enumerate(node))
    return [path, *(p for key, child in children for p in _paths(child, (*path, key)))]


JUNK = st.sampled_from(
    [None, True, 5, -1, 1.5, "", "x", "$X", "${X:-1}", [], {}, [None], [[]], {"a": 1}, {"name": []}]
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_whatever_is_put_wherever_the_answer_is_a_document_or_problems(
    minimal: str, data: st.DataObject
) -> None:
    tree = yaml.safe_load(minimal)
    tree["global"] = {"router": {"streamed_body": {"early_decision": {"memo": {}}}}}
    tree["routing"]["decisions"][0]["plugins"] = [
        {"type": "system_prompt", "configuration": {"system_prompt": "x"}},
        {"type": "header_mutation", "configuration": {"add": [{"name": "a", "value": "b"}]}},
    ]
    tree["routing"]["signals"] |= {
        "metadata": [{"name": "m", "key": "k", "predicate": {"exists": True}}],
        "structure": [
            {"name": "s", "feature": {"type": "count", "source": {"type": "text_bytes"}}}
        ],
        "complexity": [{"name": "c", "hard": {"candidates": ["a"]}, "composer": {}}],
        "role_bindings": [{"name": "r", "role": "admin"}],
    }
    for _ in range(data.draw(st.integers(1, 3))):
        *inner, last = data.draw(st.sampled_from(_paths(tree)[1:]))
        place = tree
        for key in inner:
            place = place[key]
        place[last] = copy.deepcopy(data.draw(JUNK))
    problems: tuple[Problem, ...] = ()
    try:
        assert summary(loads(json.dumps(tree), env={}).document).text()
    except ConfigErrors as refused:
        problems = refused.problems or (Problem("", "refused without a reason"),)
    assert all(problem.what and problem.line == 1 for problem in problems)


def _keys(node: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """One path for every kind of key that the tree has."""
    kinds = {tuple(k for k in p if isinstance(k, str)): p for p in _paths(node) if p}
    return [
        p for p in kinds.values() if isinstance(p[-1], str) and "reasoning_families" not in p[:-1]
    ]


@pytest.mark.parametrize("path", _keys(yaml.safe_load(DEFAULT)), ids=lambda p: str(p[-1]))
def test_every_key_of_the_default_configuration_is_missed_when_misspelt(
    path: tuple[str | int, ...],
) -> None:
    tree = yaml.safe_load(DEFAULT)
    *inner, key = path
    place = tree
    for step in inner:
        place = place[step]
    assert isinstance(key, str)
    place[key[:-2] + key[-1]] = place.pop(key)
    with pytest.raises(ConfigErrors) as caught:
        loads(yaml.safe_dump(tree))
    [problem] = [p for p in caught.value.problems if p.what == "unknown key"]
    assert problem.hint == f'did you mean "{key}"?'


def test_a_second_document_is_ignored_with_a_warning_as_helm_ignores_it() -> None:
    loaded = loads("routing: {strategy: confidence}\n---\nreplicas: 3\n")
    [warning] = loaded.warnings
    assert (warning.what, warning.line) == ("a second YAML document begins here", 2)
    assert loaded.document.strategy == "confidence"
