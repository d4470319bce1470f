"""`srd serve` as a process, routing by keywords alone, for an emulated AgentGateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from srd.demo.process import get
from srd.demo.serve import Srd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: No learned signal: nothing to load, and every decision can be told in advance.
KEYWORDS = """
version: v0.3
providers:
  defaults: {default_model: base-model}
  models:
    - name: base-model
      backend_refs: [{name: local, endpoint: "127.0.0.1:8000"}]
routing:
  modelCards:
    - name: base-model
      loras: [{name: math-expert}]
  signals:
    keywords: [{name: maths, operator: OR, keywords: [derivative]}]
  decisions:
    - name: math_decision
      priority: 10
      rules: {operator: OR, conditions: [{type: keyword, name: maths}]}
      modelRefs: [{model: base-model, lora_name: math-expert, use_reasoning: false}]
global:
  router:
    streamed_body:
      early_decision: {budget_bytes: 2000, memo: {enabled: false}}
"""


@pytest.fixture(scope="session")
def srd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Srd]:
    path = tmp_path_factory.mktemp("gateway") / "config.yaml"
    path.write_text(KEYWORDS)
    with Srd(path) as process:
        yield process


@pytest.fixture
def state(srd: Srd) -> Callable[[], dict[str, Any]]:
    """What /debug/state of the process says now."""
    return lambda: json.loads(get(srd.admin_port, "/debug/state")[1])


@pytest.fixture(autouse=True)
def _leaves_nothing_behind(srd: Srd, state: Callable[[], dict[str, Any]]) -> Iterator[None]:
    yield
    srd.until(lambda: state()["open_streams"] == 0, "end every stream")
    assert state()["held_bytes"] == 0
    assert "Traceback" not in srd.log.read_text()
