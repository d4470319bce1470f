"""`providers`: which models exist behind the gateway and how each is told to think.

Why this file exists: one module per part of upstream's v0.3 document. It must not
know decisions.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from srd.config.base import Name, NotNegative, Part, Word

__all__ = [
    "BackendRef",
    "Pricing",
    "ProviderDefaults",
    "ProviderModel",
    "Providers",
    "ReasoningFamily",
    "ReasoningType",
    "Reliability",
]

ReasoningType = Literal["chat_template_kwargs", "reasoning_effort", "top_level_reasoning_effort"]


class ReasoningFamily(Part, frozen=True, kw_only=True):
    """How a family of models is told to think, to the same effect as upstream."""

    type: ReasoningType
    parameter: Name


class ProviderDefaults(Part, frozen=True, kw_only=True):
    """`default_model` serves what no decision matches; a model card's or an adapter's name."""

    default_model: str = ""
    reasoning_families: Mapping[str, ReasoningFamily] = {}
    default_reasoning_effort: str = ""


class BackendRef(Part, frozen=True, kw_only=True):
    """A server of a model.

    srd never dials it: it says whether a model is available, and its dialect. Needs `endpoint` or
    `base_url`.
    """

    name: str = ""
    endpoint: str = ""
    protocol: str = ""
    weight: NotNegative = 1
    type: str = ""
    base_url: str = ""
    provider: str = ""
    auth_header: str = ""
    auth_prefix: str = ""
    extra_headers: Mapping[str, Word] = {}
    api_version: Word = ""
    chat_path: str = ""
    api_key: Word = ""
    api_key_env: str = ""


class Pricing(Part, frozen=True, kw_only=True):
    """Money per million tokens."""

    currency: str = ""
    prompt_per_1m: float = 0.0
    completion_per_1m: float = 0.0
    cached_input_per_1m: float = 0.0
    cache_write_per_1m: float = 0.0


class Reliability(Part, frozen=True, kw_only=True):
    """Settings for a generated Envoy configuration; the gateway's business, not ours."""

    lb_policy: Literal["", "round_robin", "least_request"] = ""
    retry_count: NotNegative = 0
    retry_on: str = ""
    consecutive_5xx: NotNegative = 0
    base_ejection_time: Word = ""
    max_ejection_percent: NotNegative = 0
    health_check_path: str = ""
    health_check_interval: Word = ""
    health_check_timeout: Word = ""


class ProviderModel(Part, frozen=True, kw_only=True):
    """A model card's provider side.

    `provider_model_id` is the id sent upstream instead of `name`; `external_model_ids` overrides it
    per endpoint type.
    """

    name: Name
    reasoning_family: str = ""
    provider_model_id: str = ""
    external_model_ids: Mapping[str, Word] = {}
    backend_refs: tuple[BackendRef, ...] = ()
    pricing: Pricing | None = None
    reliability: Reliability | None = None
    api_format: Literal["", "openai", "anthropic"] = ""


class Providers(Part, frozen=True, kw_only=True):
    """The models behind the gateway."""

    defaults: ProviderDefaults = msgspec.field(default_factory=ProviderDefaults)
    models: tuple[ProviderModel, ...] = ()
