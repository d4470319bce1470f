"""The gateway of the scenarios: one Envoy, a listener for each way a body can be handed over.

Why this file exists: the scenarios against a real Envoy share listeners, configuration and bodies.
It must not know what is tested. `srd` routes by keywords alone, so no classifier is loaded and
every decision can be told in advance.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from typing import Any

import yaml

from srd.demo.envoy import EnvoyConfig, Listener, Mode, Processing, envoy_binary

CONFIG = """
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
    keywords:
      - {name: maths, operator: OR, keywords: [derivative]}
      - {name: forbidden, operator: OR, keywords: [forbidden]}
  decisions:
    - name: blocked
      priority: 20
      blocking: false
      rules: {operator: OR, conditions: [{type: keyword, name: forbidden}]}
      plugins: [{type: fast_response, configuration: {message: "No."}}]
    - name: math_decision
      priority: 10
      rules: {operator: OR, conditions: [{type: keyword, name: maths}]}
      modelRefs: [{model: base-model, lora_name: math-expert, use_reasoning: false}]
global:
  router:
    streamed_body:
      early_decision: {budget_bytes: 2000, memo: {enabled: false}}
    limits: {max_message_bytes: 300000}
"""
#: The same with a rule that blocks: a body is held whole.
GUARDED = CONFIG.replace("      blocking: false\n", "")
#: The same with a cap on what is read before a decision.
CAPPED = CONFIG.replace("budget_bytes: 2000,", "budget_bytes: 90000, budget_ms: 60000,").replace(
    "    streamed_body:\n", "    streamed_body:\n      max_bytes: 50000\n"
)
#: A rule that only the encoder can answer (the linear stage knows domains), and no time for it.
LATE = (
    CONFIG.replace("signals:\n", "signals:\n    jailbreak: [{name: attack}]\n")
    .replace("type: keyword, name: maths", "type: jailbreak, name: attack")
    .replace("limits: {", "limits: {classify_timeout_ms: 1, ")
)


def envoy_version() -> tuple[int, ...]:
    """Version of the Envoy under test, (0,) where there is none."""
    binary = envoy_binary()
    if binary is None:
        return (0,)
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"/(\d+)\.(\d+)\.(\d+)", told)
    assert found, told
    return tuple(int(part) for part in found.groups())


VERSION = envoy_version()


def chat(content: str, model: str = "auto", **more: Any) -> bytes:
    """A chat completion whose model comes first."""
    document = {"model": model, "messages": [{"role": "user", "content": content}], **more}
    return json.dumps(document).encode()


MATH = chat("What is the derivative of x^3?")


def routed(body: bytes) -> bytes:
    """The body as the keyword's adapter must receive it."""
    return body.replace(b'"auto"', b'"math-expert"', 1)


def large(size: int, content: str = "What is the derivative of x^3? ") -> bytes:
    """A chat body of about `size` bytes whose telling words come first, its tail after them."""
    return chat(content + "filler " * ((size - len(content) - 70) // 7))


_DUPLEX = Mode.FULL_DUPLEX_STREAMED
_KIB = 1024


def _on(name: str, processing: Processing, buffer_bytes: int = 64 * _KIB) -> Listener:
    return Listener(name=name, processing=processing, buffer_bytes=buffer_bytes)


#: Listeners that need something an old Envoy does not know.
NEEDS = {"measured": (1, 38)}
_ALL = (
    _on("duplex", Processing(request_body=_DUPLEX)),
    _on("both", Processing(request_body=_DUPLEX, response_body=_DUPLEX)),
    _on("measured", Processing(request_body=_DUPLEX, allow_content_length_header=True)),
    _on("chained", Processing(request_body=_DUPLEX)),
    _on("rerouting", Processing(request_body=_DUPLEX)),
    _on("buffered", Processing(request_body=Mode.BUFFERED), 1024 * _KIB),
    _on("hasty", Processing(request_body=Mode.BUFFERED, message_timeout="0.2s"), 1024 * _KIB),
    _on("partial", Processing(request_body=Mode.BUFFERED_PARTIAL)),
    _on("streamed", Processing(request_body=Mode.STREAMED)),
    _on("impatient", Processing(request_body=Mode.STREAMED)),
)
LISTENERS = tuple(item for item in _ALL if NEEDS.get(item.name, (1,)) <= VERSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig(EnvoyConfig):
    """What EnvoyConfig writes, and what only the scenarios need.

    Trailers and websockets pass everywhere; `buffered` and `partial` also show trailers to the
    processor. `chained` has the filter twice. `rerouting` answers routes of its own for what was
    selected. `impatient` sends a body before the headers were answered.
    """

    listeners: tuple[Listener, ...] = LISTENERS

    def document(self) -> dict[str, Any]:
        document = EnvoyConfig.document(self)
        resources = document["static_resources"]
        for item in resources["listeners"]:
            (found,) = item["filter_chains"][0]["filters"]
            self._edit(item["name"], found["typed_config"])
        (backend,) = (c for c in resources["clusters"] if c["name"] == "backend")
        options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        backend["typed_extension_protocol_options"] = {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}},
            }
        }
        return document

    def yaml(self) -> str:
        return yaml.safe_dump(self.document(), sort_keys=False)

    @staticmethod
    def _edit(name: str, manager: dict[str, Any]) -> None:
        manager["http_protocol_options"] = {"enable_trailers": True}
        manager["upgrade_configs"] = [{"upgrade_type": "websocket"}]
        filters = manager["http_filters"]
        processor = filters[0]["typed_config"]
        if name in ("buffered", "partial"):
            processor["processing_mode"]["request_trailer_mode"] = "SEND"
        if name == "impatient":
            processor["send_body_without_waiting_for_header_response"] = True
        if name == "chained":
            filters.insert(0, {**filters[0], "name": "first"})
        if name == "rerouting":
            match = {"name": "x-selected-model", "string_match": {"exact": "math-expert"}}
            manager["route_config"]["virtual_hosts"][0]["routes"].insert(
                0,
                {
                    "match": {"prefix": "/", "headers": [match]},
                    "direct_response": {"status": 299, "body": {"inline_string": "elsewhere"}},
                },
            )
