"""`decisions[].plugins`: typed configurations, one class per plugin type.

Why this file exists: one module per part of upstream's v0.3 document. What a
plugin does lives in `srd.plugins`; which of them srd has lives in `srd.config.features`.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from srd.config.base import Fraction, Name, NotNegative, Opaque, OpenPart, Part, Positive, Word

__all__ = [
    "PLUGIN_ALIASES",
    "PLUGIN_TYPES",
    "ContextCompressionConfig",
    "FastResponseConfig",
    "HallucinationConfig",
    "Header",
    "HeaderMutationConfig",
    "ImageGenConfig",
    "MemoryConfig",
    "Plugin",
    "PluginConfig",
    "RagConfig",
    "RequestParamsConfig",
    "ResponseCacheConfig",
    "ResponseJailbreakConfig",
    "RouterReplayConfig",
    "SystemPromptConfig",
    "ToolSelectionConfig",
    "ToolsConfig",
]


class SystemPromptConfig(Part, frozen=True, kw_only=True):
    """`enabled` left out means: when the text is not empty. Upstream's default mode is insert."""

    enabled: bool | None = None
    system_prompt: str = ""
    mode: Literal["insert", "replace"] = "insert"

    @property
    def active(self) -> bool:
        """True when the plugin has something to do."""
        return bool(self.system_prompt) and self.enabled is not False


class Header(Part, frozen=True, kw_only=True):
    """A request header to set."""

    name: Name
    value: Word = ""


class HeaderMutationConfig(Part, frozen=True, kw_only=True):
    """Request headers: append, overwrite, remove."""

    add: tuple[Header, ...] = ()
    update: tuple[Header, ...] = ()
    delete: tuple[Name, ...] = ()


class FastResponseConfig(Part, frozen=True, kw_only=True):
    """A fixed answer, sent at once instead of asking a model."""

    message: Name


class RequestParamsConfig(Part, frozen=True, kw_only=True):
    """Request members to drop, cap or strip. None means no limit."""

    blocked_params: tuple[Name, ...] = ()
    max_tokens_limit: Positive | None = None
    max_n: Positive | None = None
    strip_unknown: bool = False


class ResponseCacheConfig(Part, frozen=True, kw_only=True):
    """Answers remembered by exact or similar prompts."""

    enabled: bool = False
    mode: Literal["", "semantic", "exact", "exact_then_semantic"] = ""
    scope: Literal["", "user", "tenant", "team", "global"] = ""
    semantic: Opaque | None = None
    similarity_threshold: Fraction | None = None
    ttl_seconds: NotNegative | None = None
    request_controls: Opaque | None = None
    personalized: Opaque | None = None
    revision: Opaque | None = None


class ToolsConfig(Part, frozen=True, kw_only=True):
    """Which tool definitions a request may carry on."""

    enabled: bool = False
    mode: Literal["", "none", "passthrough", "filtered"] = ""
    semantic_selection: bool | None = None
    allow_tools: tuple[str, ...] = ()
    block_tools: tuple[str, ...] = ()
    strip_tool_history: bool = False
    strategy: str = ""
    dynamic_retrieval: Opaque | None = None


class ToolSelectionConfig(Part, frozen=True, kw_only=True):
    """Tools chosen by similarity to the prompt."""

    enabled: bool = False
    mode: str = ""
    tools_db_path: str = ""
    top_k: NotNegative | None = None
    similarity_threshold: Fraction | None = None
    advanced_filtering: Opaque | None = None
    strategy: str = ""
    fallback_to_empty: bool | None = None
    relevance_threshold: Fraction | None = None
    preserve_count: bool | None = None


class ResponseJailbreakConfig(Part, frozen=True, kw_only=True):
    """Completed answers classified for jailbreaks."""

    enabled: bool = False
    threshold: Fraction | None = None
    action: Literal["", "header", "block", "none"] = ""


class HallucinationConfig(Part, frozen=True, kw_only=True):
    """Completed answers checked against their tool results."""

    enabled: bool = False
    use_nli: bool = False
    hallucination_action: Literal["", "header", "body", "none"] = ""
    unverified_factual_action: Literal["", "header", "body", "none"] = ""
    include_hallucination_details: bool = False


class RouterReplayConfig(Part, frozen=True, kw_only=True):
    """Routing decisions recorded with bodies."""

    enabled: bool = False
    max_records: NotNegative | None = None
    capture_request_body: bool = False
    capture_response_body: bool = False
    max_body_bytes: NotNegative | None = None
    max_tool_trace_bytes: NotNegative | None = None
    max_tool_trace_steps: NotNegative | None = None


class RagConfig(Part, frozen=True, kw_only=True):
    """Context retrieved from a store and injected."""

    enabled: bool = False
    backend: str = ""
    similarity_threshold: Fraction | None = None
    top_k: NotNegative | None = None
    max_context_length: NotNegative | None = None
    injection_mode: Literal["", "tool_role", "system_prompt"] = ""
    backend_config: Opaque | None = None
    on_failure: Literal["", "skip", "block", "warn"] = ""
    cache_results: bool = False
    cache_ttl_seconds: NotNegative | None = None
    min_confidence_threshold: Fraction | None = None


class MemoryConfig(Part, frozen=True, kw_only=True):
    """Long-term memory per user."""

    enabled: bool = False
    retrieval_limit: NotNegative | None = None
    similarity_threshold: Fraction | None = None
    auto_store: bool | None = None
    hybrid_search: bool | None = None
    hybrid_mode: str = ""
    reflection: Opaque | None = None


class ContextCompressionConfig(Part, frozen=True, kw_only=True):
    """History and tool outputs shortened before they are forwarded."""

    enabled: bool = False
    mode: Literal["", "auto", "always"] = ""
    budget: Opaque | None = None
    targets: Opaque | None = None
    scoring: Opaque | None = None
    recovery: Opaque | None = None
    request_controls: Opaque | None = None
    failure_mode: Literal["", "fail_open", "fail_closed"] = ""


class ImageGenConfig(OpenPart, frozen=True, kw_only=True):
    """Images generated by another backend."""

    enabled: bool = False
    backend: str = ""
    backend_config: Opaque | None = None


PluginConfig: TypeAlias = (
    SystemPromptConfig
    | HeaderMutationConfig
    | FastResponseConfig
    | RequestParamsConfig
    | ResponseCacheConfig
    | ToolsConfig
    | ToolSelectionConfig
    | ResponseJailbreakConfig
    | HallucinationConfig
    | RouterReplayConfig
    | RagConfig
    | MemoryConfig
    | ContextCompressionConfig
    | ImageGenConfig
)

#: Plugin type -> class of its configuration.
PLUGIN_TYPES: Mapping[str, type[PluginConfig]] = {
    "system_prompt": SystemPromptConfig,
    "header_mutation": HeaderMutationConfig,
    "fast_response": FastResponseConfig,
    "request_params": RequestParamsConfig,
    "response_cache": ResponseCacheConfig,
    "tools": ToolsConfig,
    "tool_selection": ToolSelectionConfig,
    "response_jailbreak": ResponseJailbreakConfig,
    "hallucination": HallucinationConfig,
    "router_replay": RouterReplayConfig,
    "rag": RagConfig,
    "memory": MemoryConfig,
    "context_compression": ContextCompressionConfig,
    "image_gen": ImageGenConfig,
}

#: Deprecated spellings that upstream still takes.
PLUGIN_ALIASES: Mapping[str, str] = {
    "semantic-cache": "response_cache",
    "semantic_cache": "response_cache",
    "response-cache": "response_cache",
}


class Plugin(Part, frozen=True, kw_only=True):
    """One plugin of a decision. `type` is never an alias after loading."""

    type: str
    configuration: PluginConfig
