"""Small documents, built from the structs, for the tests of rules, ranking and model choice."""

from collections.abc import Callable, Container, Mapping

import pytest

from srd.config import Document, loads
from srd.config.decisions import DecisionRule
from srd.config.routing import Routing
from srd.config.rules import Branch, Leaf, RuleNode
from srd.signals.base import Reading, Truth


def _tree(spec: object) -> RuleNode:
    """ "kw:a" is a leaf, "kw:a?match" one with `on_unknown`; ("AND", …), ("OR", …) and ("NOT", x)
    are branches."""
    if isinstance(spec, str):
        key, _, on_unknown = spec.partition("?")
        kind, name = key.split(":", 1)
        return Leaf(type=kind, name=name, on_unknown=on_unknown)
    assert isinstance(spec, tuple)
    operator, *children = spec
    return Branch(operator=operator, conditions=tuple(_tree(child) for child in children))


@pytest.fixture(scope="session")
def tree() -> Callable[[object], RuleNode]:
    """Turns nested tuples into a rule tree."""
    return _tree


@pytest.fixture(scope="session")
def document() -> Callable[..., Document]:
    """A document of nothing but decisions: name -> (tree, priority, tier). Those in `blocking`
    block."""

    def build(
        decisions: Mapping[str, tuple[object, int, int]],
        strategy: str = "",
        blocking: Container[str] = (),
    ) -> Document:
        return Document(
            routing=Routing(
                strategy=strategy,
                decisions=tuple(
                    DecisionRule(
                        name=name,
                        rules=_tree(spec),
                        priority=priority,
                        tier=tier,
                        blocking=name in blocking,
                    )
                    for name, (spec, priority, tier) in decisions.items()
                ),
            )
        )

    return build


@pytest.fixture(scope="session")
def readings() -> Callable[..., dict[str, Reading]]:
    """Readings by key: a number is TRUE with that confidence, False is FALSE, None is UNKNOWN."""

    def build(values: Mapping[str, float | bool | None]) -> dict[str, Reading]:
        found = {}
        for key, value in values.items():
            if value is None:
                found[key] = Reading(Truth.UNKNOWN, confidence=0.0)
            elif value is False:
                found[key] = Reading(Truth.FALSE)
            else:
                found[key] = Reading(Truth.TRUE, confidence=float(value))
        return found

    return build


ROUTED = """
version: v0.3
providers:
  defaults:
    default_model: general
    default_reasoning_effort: high
    reasoning_families:
      qwen3: {type: chat_template_kwargs, parameter: enable_thinking}
  models:
    - name: base
      reasoning_family: qwen3
      provider_model_id: org/base-7b
      backend_refs: [{endpoint: "base.default.svc:8000"}]
    - name: general
      provider_model_id: ignored-id
      external_model_ids: {vllm: org/general}
      backend_refs: [{endpoint: "general:80"}]
    - name: hosted
      provider_model_id: gpt-x
      external_model_ids: {azure-openai: other}
      backend_refs: [{base_url: "https://API.openai.com/v1", provider: openai}]
routing:
  modelCards:
    - name: base
      loras: [{name: math-expert}, {name: law-expert}]
    - name: general
    - name: hosted
  signals:
    domains: [{name: math}, {name: law}, {name: health}, {name: history}]
    keywords:
      - {name: think, operator: OR, keywords: [think]}
  decisions:
    - name: math
      priority: 10
      rules: {operator: AND, conditions: [{type: keyword, name: think}, {type: domain, name: math}]}
      modelRefs: [{model: base, lora_name: math-expert, use_reasoning: true, reasoning_effort: low}]
    - name: law
      priority: 5
      rules: {type: domain, name: law}
      modelRefs: [{model: base, lora_name: law-expert, use_reasoning: true}]
    - name: split
      priority: 4
      rules: {type: domain, name: health}
      modelRefs: [{model: base, weight: 3}, {model: general, weight: 1}, {model: hosted}]
      algorithm: {type: static}
    - name: bare
      priority: 3
      rules: {type: domain, name: history}
    - name: blocked
      priority: 2
      rules: {type: keyword, name: think}
      plugins: [{type: fast_response, configuration: {message: No.}}]
"""


@pytest.fixture(scope="session")
def routed() -> Document:
    """A document with adapters, ids, families, weights and a fixed answer."""
    return loads(ROUTED).document
