"""Which model or adapter serves a decision, under which id, and whether it is told to think.

Why this file exists: everything that modelRefs, model cards and providers say together is looked up
here once per request and becomes plain names. It must not know signals, nor how a body is edited.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from srd.config.plugins import FastResponseConfig
from srd.decide.decision import Reasoning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srd.config import Document
    from srd.config.decisions import DecisionRule, ModelRef
    from srd.config.providers import BackendRef

DEFAULT_EFFORT = "medium"
#: The model that a fixed answer claims to come from (as upstream).
ROUTER_MODEL = "router"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The chosen model. `model` is "" when the document offers none.

    `base_model` is the card that the model or adapter belongs to; `upstream_model` the id that the
    backend receives. `reasoning` is None where no decision speaks (explicit names, the default).
    """

    model: str
    base_model: str
    upstream_model: str
    algorithm: str = ""
    reasoning: Reasoning | None = None


def choose(rule: DecisionRule | None, document: Document, *, seed: bytes = b"") -> ModelChoice:
    """The model of a decision, or the default model where none matched (as upstream).

    `seed` makes a weighted choice: equal seeds choose the same ref, different ones spread by
    weight. Algorithms other than `static` take the first ref, as upstream does when one fails.
    """
    if rule is None:
        return named(document.default_model, document)
    if not rule.model_refs:
        answered = rule.plugin(FastResponseConfig) is not None
        name = ROUTER_MODEL if answered else document.default_model
        return _with_reasoning(named(name, document), None, document)
    if len(rule.model_refs) == 1:
        return _of_ref(rule.model_refs[0], document, "single")
    known = rule.algorithm is None or rule.algorithm.type in {"", "static"}
    ref = _static(rule.model_refs, seed) if known else rule.model_refs[0]
    return _of_ref(ref, document, "static")


def named(model: str, document: Document, *, algorithm: str = "") -> ModelChoice:
    """A model by its name, with what the document says of it; no reasoning."""
    card = document.card_of(model)
    return ModelChoice(
        model=model,
        base_model=model if card is None else card.name,
        upstream_model=upstream_id(model, document),
        algorithm=algorithm,
    )


def upstream_id(model: str, document: Document) -> str:
    """The id that the backend knows the model by.

    `external_model_ids` for the first backend's type, else `provider_model_id`, else the name. An
    adapter keeps its own name: its base card's id would address the model without the adapter.
    """
    provider = document.provider_of(model)
    if provider is None or provider.name != model:
        return model
    if provider.backend_refs:
        first = provider.backend_refs[0]
        kind = first.type or first.provider or "vllm"
        if external := provider.external_model_ids.get(kind):
            return external
    return provider.provider_model_id or model


def backend_host(model: str, document: Document) -> str:
    """The host name of the model's first backend in lower case, "" when it is not known."""
    provider = document.provider_of(model)
    if provider is None or not provider.backend_refs:
        return ""
    return _host(provider.backend_refs[0])


def _host(ref: BackendRef) -> str:
    address = ref.base_url or ref.endpoint
    if not address:
        return "api.openai.com" if ref.provider == "openai" else ""
    if "//" not in address:
        address = f"//{address}"
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:  # an address that only looks like a bracketed IPv6 one
        return ""


def _static(refs: Sequence[ModelRef], seed: bytes) -> ModelRef:
    """The first ref, or by weight where any ref has one; a ref without weight is then not taken."""
    total = sum(max(0.0, ref.weight) for ref in refs)
    if total <= 0.0:
        return refs[0]
    point = int.from_bytes(blake2b(seed, digest_size=8).digest(), "big") / 2**64 * total
    chosen = refs[0]
    for ref in refs:
        if ref.weight > 0.0:
            chosen = ref
            point -= ref.weight
            if point < 0.0:
                break
    return chosen


def _of_ref(ref: ModelRef, document: Document, algorithm: str) -> ModelChoice:
    choice = named(ref.selected, document, algorithm=algorithm)
    # The ref says whose adapter it means; a card may have the adapter's name too.
    return _with_reasoning(replace(choice, base_model=ref.model), ref, document)


def _with_reasoning(choice: ModelChoice, ref: ModelRef | None, document: Document) -> ModelChoice:
    enabled = ref is not None and ref.use_reasoning
    effort = ""
    if ref is not None and enabled:
        # Upstream looks for a ref named as the body's model and so never finds an adapter's.
        effort = (
            ref.reasoning_effort
            or document.providers.defaults.default_reasoning_effort
            or DEFAULT_EFFORT
        )
    family, parameter = "", ""
    if found := document.reasoning_family_of(choice.model):
        family, parameter = found[0], found[1].parameter
    reasoning = Reasoning(enabled=enabled, effort=effort, family=family, parameter=parameter)
    return replace(choice, reasoning=reasoning)
