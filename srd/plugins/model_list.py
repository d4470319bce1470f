"""`GET /v1/models`: the names that a client may ask for.

Why this file exists: the router answers this one itself, in the header phase, as upstream does. It
must not know what the backends really serve.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from srd.plugins.errors import JSON_TYPE, Immediate

if TYPE_CHECKING:
    from srd.config import Document

_VIRTUAL = "Chooses a model for each request"


def model_list(document: Document, *, now: float = 0.0) -> Immediate:
    """200 with the routed names.

    If `include_config_models_in_list` says so, the models and adapters of the document follow.
    `now` is Unix time for `created`.
    """
    auto = sorted(document.auto_names())
    entries = [
        _entry(name, now, "vllm-semantic-router", _VIRTUAL, "virtual", default=True)
        for name in auto
    ]
    if document.global_.router.include_config_models_in_list:
        entries += [
            _entry(name, now, "upstream-endpoint", _describe(name, document), "passthrough")
            for name in sorted(document.known_models().difference(auto))
        ]
    body = json.dumps({"object": "list", "data": entries}).encode("ascii")
    return Immediate(200, (JSON_TYPE,), body)


def _entry(
    name: str, now: float, owner: str, description: str, resolution: str, *, default: bool = False
) -> dict[str, object]:
    return {
        "id": name,
        "object": "model",
        "created": int(now),
        "owned_by": owner,
        "description": description,
        "routing": {"resolution": resolution, "selectable": True, "default_route": default},
    }


def _describe(name: str, document: Document) -> str:
    card = document.card_of(name)
    if card is None:
        return ""
    if card.name == name:
        return card.description
    adapter = next((lora for lora in card.loras if lora.name == name), None)
    return "" if adapter is None else adapter.description or f"Adapter of {card.name}"
