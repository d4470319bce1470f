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
