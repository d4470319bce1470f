"""The AgentGateway guide's request, through a real Envoy, as its reader would see it."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import pytest
import yaml

from srd.demo.run import GUIDE_BODY

if TYPE_CHECKING:
    from srd.backend import BackgroundBackend
    from srd.demo.envoy import Envoy

pytestmark = pytest.mark.envoy

MODES = ("buffered", "duplex")
BODY = GUIDE_BODY.encode()


def system_prompt(decision: str) -> str:
    """The prompt that the embedded configuration gives a decision."""
    document = yaml.safe_load((resources.files("srd.config") / "default.yaml").read_text())
    (found,) = (d for d in document["routing"]["decisions"] if d["name"] == decision)
    (plugin,) = (p for p in found["plugins"] if p["type"] == "system_prompt")
    return plugin["configuration"]["system_prompt"]


@pytest.mark.parametrize("listener", MODES)
def test_the_guides_request_reaches_the_math_expert_thinking_and_instructed(
    gateway: Envoy, backend: BackgroundBackend, connect, listener: str
) -> None:
    answer = connect(gateway, listener).chat(BODY)
    assert answer.status == 200
    assert answer.headers["x-vsr-selected-model"] == "math-expert"
    assert answer.headers["x-vsr-selected-decision"] == "math_decision"
    assert answer.headers["x-vsr-selected-category"] == "math"
    received = backend.last.json()
    assert received["model"] == "math-expert"
    assert received["chat_template_kwargs"] == {"enable_thinking": True}
    assert received["messages"] == [
        {"role": "system", "content": system_prompt("math_decision")},
        {"role": "user", "content": "What is the derivative of f(x) = x^3?"},
    ]
    assert (received["max_tokens"], received["temperature"]) == (64, 0)


def test_both_modes_deliver_the_same_bytes(
    gateway: Envoy, backend: BackgroundBackend, connect
) -> None:
    for listener in MODES:
        connect(gateway, listener).chat(BODY)
    buffered, duplex = backend.received[-2:]
    assert buffered.body == duplex.body
    assert buffered.headers["content-length"] == str(buffered.size)
    assert duplex.headers["transfer-encoding"] == "chunked"


@pytest.mark.parametrize("listener", MODES)
def test_a_model_that_the_client_names_is_kept_byte_for_byte(
    gateway: Envoy, backend: BackgroundBackend, connect, listener: str
) -> None:
    body = (
        b'{ "model":"base-model", "temperature":1e400, "messages":[{"role":"user","content":"2"}]}'
    )
    answer = connect(gateway, listener).chat(body)
    assert backend.last.body == body
    assert answer.headers["x-vsr-decision-basis"] == "explicit"


@pytest.mark.parametrize("listener", MODES)
def test_a_model_that_nobody_knows_is_refused_before_the_backend(
    gateway: Envoy, backend: BackgroundBackend, connect, listener: str
) -> None:
    before = backend.received
    answer = connect(gateway, listener).chat({"model": "gpt-none", "messages": []})
    assert answer.status == 400
    assert "gpt-none" in answer.json()["error"]["message"]
    assert backend.received == before


@pytest.mark.parametrize("listener", MODES)
def test_pages_that_are_not_ours_pass(gateway: Envoy, connect, listener: str) -> None:
    answer = connect(gateway, listener).request("GET", "/v1/models")
    assert answer.json()["data"][0]["id"] == "base-model"


@pytest.mark.parametrize("listener", MODES)
def test_a_streamed_answer_arrives_whole(gateway: Envoy, connect, listener: str) -> None:
    document = {
        "model": "auto",
        "stream": True,
        "messages": [{"role": "user", "content": "What is the derivative of f(x) = x^3?"}],
    }
    answer = connect(gateway, listener).chat(document)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-vsr-selected-model"] == "math-expert"
    assert answer.body.endswith(b"data: [DONE]\n\n")
