"""One document with every plugin, decisions made of it, and situations that they meet."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from srd.body.shapes import Api
from srd.config import Document, loads
from srd.decide.decision import Basis, Decision
from srd.decide.engine import Final
from srd.decide.router import Router
from srd.plugins.entry import Situation

DOCUMENT = """
version: v0.3
providers:
  defaults:
    default_model: base
    reasoning_families:
      qwen3: {type: chat_template_kwargs, parameter: enable_thinking}
      gpt: {type: reasoning_effort, parameter: reasoning_effort}
      claude: {type: reasoning_effort, parameter: reasoning_effort}
  models:
    - {name: base, reasoning_family: qwen3, backend_refs: [{endpoint: "base:8000"}]}
    - name: renamed
      reasoning_family: gpt
      provider_model_id: org/renamed
      backend_refs: [{base_url: "https://api.openai.com/v1"}]
    - name: claude
      reasoning_family: claude
      backend_refs: [{base_url: "https://api.anthropic.com"}]
    - {name: plainest, backend_refs: [{endpoint: "plainest:8000"}]}
routing:
  modelCards:
    - {name: base, description: The base, loras: [{name: math-expert}]}
    - {name: renamed}
    - {name: claude}
    - {name: plainest}
  signals:
    domains: [{name: math}]
  decisions:
    - name: math
      rules: {type: domain, name: math}
      modelRefs: [{model: base, lora_name: math-expert, use_reasoning: true}]
      plugins:
        - {type: system_prompt, configuration: {system_prompt: Prove it., mode: replace}}
    - name: plain
      modelRefs: [{model: base}]
    - name: hosted
      modelRefs: [{model: renamed, use_reasoning: true, reasoning_effort: high}]
    - name: thoughtful
      modelRefs: [{model: claude, use_reasoning: true, reasoning_effort: high}]
    - name: hopeful
      modelRefs: [{model: plainest, use_reasoning: true}]
    - name: polite
      modelRefs: [{model: base}]
      plugins:
        - {type: system_prompt, configuration: {system_prompt: Be kind.}}
        - {type: request_params, configuration: {blocked_params: [system, instructions]}}
    - name: blocked
      plugins: [{type: fast_response, configuration: {message: "Not “here”."}}]
    - name: strict
      modelRefs: [{model: base}]
      plugins:
        - type: request_params
          configuration:
            blocked_params: [logit_bias, chat_template_kwargs, model]
            max_tokens_limit: 100
            max_n: 1
            strip_unknown: true
    - name: labelled
      modelRefs: [{model: base}]
      plugins:
        - type: header_mutation
          configuration:
            add: [{name: X-Team, value: red}]
            update: [{name: x-tier, value: gold}]
            delete: [x-old]
"""


@pytest.fixture(scope="session")
def document() -> Document:
    """Decisions by plugin; all but `math` match anything."""
    return loads(DOCUMENT).document


@pytest.fixture(scope="session")
def decide(document: Document) -> Callable[..., Decision]:
    """The Decision of the named rule, with any field replaced."""

    def build(name: str | None, /, **changes: object) -> Decision:
        rule = next((r for r in document.routing.decisions if r.name == name), None)
        verdict = Final(rule, 0.9, ("domain:math",) if name == "math" else ())
        made = Router(document).conclude(verdict, basis=Basis.COMPLETE, requested_model="auto")
        return replace(made, **changes)

    return build


@pytest.fixture
def situation(document: Document, decide: Callable[..., Decision]) -> Callable[..., Situation]:
    """The named decision meets a request; `changes` are those of the Situation."""

    def build(name: str | None = "plain", /, **changes: object) -> Situation:
        made = Situation(
            decision=decide(name),
            document=document,
            rule=next((r for r in document.routing.decisions if r.name == name), None),
            api=Api.CHAT,
            params={},
            stream=None,
            now=1700000000.9,
        )
        return replace(made, **changes)

    return build
