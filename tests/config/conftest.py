"""Documents to check, and what is said about them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from srd.config import ConfigErrors, Document, Loaded, loads
from srd.config.problems import Problem

#: A complete small document; tests replace or add parts of it.
MINIMAL = """\
providers:
  defaults:
    default_model: base
    reasoning_families:
      qwen3: {type: chat_template_kwargs, parameter: enable_thinking}
  models:
    - name: base
      reasoning_family: qwen3
      backend_refs: [{endpoint: "127.0.0.1:8000"}]
routing:
  modelCards:
    - name: base
      loras: [{name: math-expert}, {name: law-expert}]
  signals:
    keywords:
      - {name: thinking, operator: OR, keywords: [think]}
    domains:
      - {name: math}
  decisions:
    - name: math_decision
      priority: 10
      rules: {operator: OR, conditions: [{type: domain, name: math}]}
      modelRefs: [{model: base, lora_name: math-expert, use_reasoning: true}]
"""

EVERY_SIGNAL = """\
routing:
  signals:
    keywords: [{name: urgent, operator: OR, keywords: [now]}]
    domains: [{name: math}, {name: coding, mmlu_categories: [computer science]}]
    embeddings: [{name: near, candidates: [a]}]
    complexity: [{name: deep, threshold: 0.1, hard: {candidates: [a]}, easy: {candidates: [b]}}]
    language: [{name: "no"}]
    context: [{name: long, min_tokens: 32K}]
    structure: [{name: many, feature: {type: count, source: {type: text_bytes}}}]
    conversation: [{name: turns, feature: {type: count, source: {type: message}}}]
    events: [{name: outage, event_types: [outage]}]
    metadata: [{name: gold, key: tier, predicate: {equals: gold}}]
    jailbreak: [{name: attack, threshold: 0.6}]
    pii: [{name: personal}]
    fact_check: [{name: needs_fact_check}]
    user_feedbacks: [{name: wrong_answer}]
    reasks: [{name: again}]
    preferences: [{name: terse}]
    modality: [{name: AR}]
    role_bindings: [{name: admins, role: admin, subjects: [{kind: Group, name: ops}]}]
    kb: [{name: private, kb: privacy_kb}]
    classifiers: [{name: risk, type: local, labels: [low, high]}]
  projections:
    mappings: [{name: m, source: s, outputs: [{name: band}]}]
  decisions:
    - name: one
      modelRefs: [{model: any}]
      rules: {operator: OR, conditions: [{type: TYPE, name: NAME}]}
"""

NAMES = {
    "keyword": "urgent",
    "domain": "math",
    "embedding": "near",
    "complexity": "deep:hard",
    "language": "no",
    "context": "long",
    "structure": "many",
    "conversation": "turns",
    "event": "outage",
    "metadata": "gold",
    "jailbreak": "attack",
    "pii": "personal",
    "fact_check": "needs_fact_check",
    "user_feedback": "wrong_answer",
    "reask": "again",
    "preference": "terse",
    "modality": "AR",
    "authz": "admin",
    "kb": "private",
    "classifier": "risk",
    "projection": "band",
}

Refuse = Callable[..., list[Problem]]
Warned = Callable[..., list[Problem]]
Take = Callable[..., Document]


@pytest.fixture
def minimal() -> str:
    """The text of a small document without a fault."""
    return MINIMAL


@pytest.fixture
def take() -> Take:
    """Loads a text that must be good, and returns its document."""

    def _take(text: str, env: Mapping[str, str] | None = None) -> Document:
        return loads(text, env=env or {}).document

    return _take


@pytest.fixture
def refuse() -> Refuse:
    """Loads a text that must be refused, and returns its problems."""

    def _refuse(text: str | bytes, env: Mapping[str, str] | None = None) -> list[Problem]:
        with pytest.raises(ConfigErrors) as caught:
            loads(text, env=env or {})
        return list(caught.value.problems)

    return _refuse


@pytest.fixture
def warned() -> Warned:
    """Loads a text that must be good, and returns its warnings."""

    def _warned(text: str, env: Mapping[str, str] | None = None) -> list[Problem]:
        loaded: Loaded = loads(text, env=env or {})
        return list(loaded.warnings)

    return _warned


@pytest.fixture
def seed() -> Path:
    """The folder of the seed guide's values files, where a checkout has it."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "seed"
    if not folder.is_dir():
        pytest.skip("the seed guide's files (../shared/seed) are not here")
    return folder


@pytest.fixture
def one_leaf() -> Callable[..., str]:
    """The text of a document that declares a rule of every type and whose one decision has one
    leaf: of this type, with this name or that of the declared rule."""

    def _one_leaf(leaf_type: str, name: str = "") -> str:
        named = f'"{name or NAMES[leaf_type]}"'
        return EVERY_SIGNAL.replace("TYPE", leaf_type).replace("NAME", named)

    return _one_leaf
