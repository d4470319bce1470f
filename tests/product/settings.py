"""The policies of the product, and what each of their decisions asks of a body.

Why this file exists: the oracle must know from the configuration, not from srd, which edits are
stated. Small budgets let small bodies cross every threshold. It must not know bodies.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from srd.config import loads
from srd.decide.memo import Memo
from srd.exchange.policy import Policy, build_policy

CONFIG = """
version: v0.3
providers:
  defaults:
    default_model: base-model
    default_reasoning_effort: high
    reasoning_families:
      qwen3: {type: chat_template_kwargs, parameter: enable_thinking}
  models:
    - name: base-model
      reasoning_family: qwen3
      backend_refs: [{name: local, endpoint: "127.0.0.1:8000"}]
    - name: plain-model
      backend_refs: [{name: local, endpoint: "127.0.0.1:8001"}]
routing:
  modelCards:
    - name: base-model
      loras: [{name: math-expert}]
    - name: plain-model
      loras: [{name: law-expert}, {name: health-expert}, {name: modèle-数}]
  signals:
    keywords: [{name: bad, operator: OR, keywords: [forbidden]}]
    domains: [{name: math}, {name: law}, {name: health}, {name: history}, {name: other}]
  decisions:
    - name: thinks
      priority: 10
      rules: {operator: OR, conditions: [{type: domain, name: math}]}
      modelRefs: [{model: base-model, lora_name: math-expert, use_reasoning: true}]
    - name: plain
      priority: 10
      rules: {operator: OR, conditions: [{type: domain, name: law}]}
      modelRefs: [{model: plain-model, lora_name: law-expert, use_reasoning: false}]
    - name: prompted
      priority: 10
      rules: {operator: OR, conditions: [{type: domain, name: health}]}
      modelRefs: [{model: plain-model, lora_name: health-expert, use_reasoning: false}]
      plugins:
        - type: system_prompt
          configuration: {system_prompt: "Be kind.", mode: insert}
"""

ANSWER = """    - name: answered
      priority: 30
      rules: {operator: OR, conditions: [{type: domain, name: history}]}
      modelRefs: []
      plugins:
        - {type: fast_response, configuration: {message: "Not today."}}
"""

GUARD = """    - name: guarded
      priority: 40
      rules: {operator: OR, conditions: [{type: keyword, name: bad}]}
      modelRefs: []
      plugins:
        - {type: fast_response, configuration: {message: "No."}}
"""

ROUTER = """
global:
  router:
    compressed: COMPRESSED
    streamed_body:
      early_decision: EARLY
"""

_EARLY = {
    "small": "{budget_bytes: 2000, max_held_bytes: 20000}",
    "inflate": "{budget_bytes: 2000, max_held_bytes: 20000}",
    "never": "{budget_bytes: 2000, max_held_bytes: 20000, late_model_bytes: 0}",
    "late": "{budget_bytes: 2000, max_held_bytes: 20000, late_model_bytes: 20000}",
    "real": "{}",
}

#: A name counts if its value ends within so many bytes of the inflated body.
NAME_BYTES: Mapping[str, int] = MappingProxyType(
    {"small": 2000, "inflate": 2000, "never": 0, "late": 20_000, "real": 65_536}
)

#: Turns that end within so many bytes, pictures not counted, decide as such.
BUDGETS: Mapping[str, int] = MappingProxyType(
    {"small": 2000, "inflate": 2000, "never": 2000, "late": 2000, "real": 65_536}
)

AUTO = frozenset({"auto", "MoM"})
KNOWN = frozenset(
    {"base-model", "plain-model", "math-expert", "law-expert", "health-expert", "modèle-数"}
)
DEFAULT_MODEL = "base-model"
PROMPT = "Be kind."

#: The telling word of a text, the label that it scores, and the topic's decision.
WORDS: Mapping[str, str] = MappingProxyType(
    {"derivative": "math", "contract": "law", "medicine": "health", "battle": "history"}
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a decision asks for: `model` in the body, and which of the other edits."""

    model: str
    thinks: bool = False
    prompted: bool = False


#: By the decision's name; None is the default model's.
DECISIONS: Mapping[str | None, Asked] = MappingProxyType(
    {
        None: Asked(DEFAULT_MODEL),
        "thinks": Asked("math-expert", thinks=True),
        "plain": Asked("law-expert"),
        "prompted": Asked("health-expert", prompted=True),
    }
)


@functools.lru_cache
def _compiled(setting: str, more: str) -> Policy:
    early = _EARLY[setting]
    compressed = "inflate" if setting == "inflate" else "keep"
    router = ROUTER.replace("COMPRESSED", compressed).replace("EARLY", early)
    text = CONFIG + more + router
    return build_policy(loads(text).document, None)


def policy_for(setting: str, decision: str = "scored") -> Policy:
    """A policy with a memo of its own. Under "answer" one of its decisions answers the client,
    under "guard" and "attack" one blocks."""
    more = {"answer": ANSWER, "guard": GUARD, "attack": GUARD}.get(decision, "")
    return replace(_compiled(setting, more), memo=Memo())
