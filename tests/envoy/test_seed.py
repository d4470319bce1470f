"""The guide's request with the guide's own values file, through a real Envoy."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from srd.demo.run import GUIDE_BODY

VALUES = Path(__file__).parents[2].parent / "shared" / "seed" / "values-agentgateway.yaml"
pytestmark = [
    pytest.mark.envoy,
    pytest.mark.skipif(not VALUES.exists(), reason="the guide's values file is not beside us"),
]


@pytest.mark.parametrize("listener", ["buffered", "duplex"])
def test_the_guides_values_route_the_guides_request(
    srd_factory, envoy_factory, backend, connect, listener
):
    decisions = yaml.safe_load(VALUES.read_text())["config"]["routing"]["decisions"]
    (math,) = (found for found in decisions if found["name"] == "math_decision")
    (plugin,) = (p for p in math["plugins"] if p["type"] == "system_prompt")
    gateway = envoy_factory(srd_factory(VALUES))
    answer = connect(gateway, listener).chat(GUIDE_BODY.encode())
    assert answer.status == 200
    assert answer.headers["x-vsr-selected-model"] == "math-expert"
    received = backend.last.json()
    assert received["model"] == "math-expert"
    assert received["chat_template_kwargs"] == {"enable_thinking": True}
    assert received["messages"][0] == {
        "role": "system",
        "content": plugin["configuration"]["system_prompt"],
    }
