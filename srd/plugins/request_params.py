"""`request_params`: members of a request that a decision drops, caps or strips.

Why this file exists: one file per plugin. It differs from upstream where upstream breaks requests:
`max_completion_tokens` is capped too, and the allow-list of `strip_unknown` knows the members that
current OpenAI and vLLM clients send (upstream's 19 names lose `stream_options`, `metadata` and
others). It must not know how members are spliced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srd.config.plugins import RequestParamsConfig

#: Without these a request means nothing; no configuration takes them away.
ESSENTIAL = frozenset({"model", "messages", "prompt", "input"})

TOKEN_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")

#: What `strip_unknown` leaves: the documented members of the OpenAI completion APIs, and those that
#: srd sets itself.
KNOWN_PARAMS = ESSENTIAL | {
    "audio",
    "best_of",
    "chat_template_kwargs",
    "echo",
    "frequency_penalty",
    "function_call",
    "functions",
    "include",
    "instructions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "max_tool_calls",
    "metadata",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "previous_response_id",
    "prompt_cache_key",
    "reasoning",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "stop_sequences",
    "store",
    "stream",
    "stream_options",
    "suffix",
    "system",
    "temperature",
    "text",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "verbosity",
    "web_search_options",
}


@dataclass(frozen=True, slots=True)
class ParamEdits:
    """Members to drop, the only ones to keep (None: all), and upper bounds of numbers."""

    drop: frozenset[str] = frozenset()
    keep_only: frozenset[str] | None = None
    cap: Mapping[str, int] = field(default_factory=dict)


def param_edits(config: RequestParamsConfig | None) -> ParamEdits:
    """The edits of the plugin. A member that is dropped is not capped as well."""
    if config is None:
        return ParamEdits()
    drop = frozenset(config.blocked_params) - ESSENTIAL
    cap: dict[str, int] = {}
    if config.max_tokens_limit is not None:
        cap |= dict.fromkeys(TOKEN_LIMITS, config.max_tokens_limit)
    if config.max_n is not None:
        cap["n"] = config.max_n
    return ParamEdits(
        drop=drop,
        keep_only=KNOWN_PARAMS - drop if config.strip_unknown else None,
        cap={name: limit for name, limit in cap.items() if name not in drop},
    )
