"""The top-level members of a request that each API documents.

Why this file exists: `strip_unknown` must know what is not unknown, and four APIs differ. The names
are those of the official client libraries (openai and anthropic for Python, beta requests
included), and what srd may set itself. It must not know which of them a decision takes away.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from srd.body.shapes import Api

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHAT = """
    audio chat_template_kwargs frequency_penalty function_call functions logit_bias logprobs
    max_completion_tokens max_tokens messages metadata modalities model moderation n
    parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_options
    prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop
    store stream stream_options temperature thinking tool_choice tools top_k top_logprobs top_p user
    verbosity web_search_options
"""

_COMPLETIONS = """
    best_of echo frequency_penalty logit_bias logprobs max_tokens model n presence_penalty prompt
    prompt_embeds seed stop stream stream_options suffix temperature top_k top_p user
"""

_RESPONSES = """
    access_programs background background_options chat_template_kwargs context_management
    conversation image include input instructions max_output_tokens max_tool_calls metadata model
    moderation parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options
    prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options
    temperature text tool_choice tools top_k top_logprobs top_p truncation user
"""

_ANTHROPIC = """
    billing_policy cache_control chat_template_kwargs compaction container context_management
    diagnostics fallback_credit_token fallbacks inference_geo max_tokens mcp_servers messages
    metadata model output_config service_tier speed stop_sequences stream system temperature
    thinking thread tool_choice tools top_k top_p
"""

KNOWN_MEMBERS: Mapping[Api, frozenset[str]] = MappingProxyType(
    {
        Api.CHAT: frozenset(_CHAT.split()),
        Api.COMPLETIONS: frozenset(_COMPLETIONS.split()),
        Api.RESPONSES: frozenset(_RESPONSES.split()),
        Api.ANTHROPIC: frozenset(_ANTHROPIC.split()),
    }
)

#: Without these a request means nothing, or is refused; no configuration takes them away.
ESSENTIAL: Mapping[Api, frozenset[str]] = MappingProxyType(
    {
        Api.CHAT: frozenset({"model", "messages"}),
        Api.COMPLETIONS: frozenset({"model", "prompt", "prompt_embeds"}),
        Api.RESPONSES: frozenset({"model", "input", "prompt"}),
        Api.ANTHROPIC: frozenset({"model", "messages", "max_tokens"}),
    }
)

#: What bounds the length of an answer.
TOKEN_LIMITS: Mapping[Api, tuple[str, ...]] = MappingProxyType(
    {
        Api.CHAT: ("max_tokens", "max_completion_tokens"),
        Api.COMPLETIONS: ("max_tokens",),
        Api.RESPONSES: ("max_output_tokens",),
        Api.ANTHROPIC: ("max_tokens",),
    }
)

#: What asks for more than one answer; Responses and Messages always give one.
ANSWER_COUNTS: Mapping[Api, tuple[str, ...]] = MappingProxyType(
    {Api.CHAT: ("n",), Api.COMPLETIONS: ("n",), Api.RESPONSES: (), Api.ANTHROPIC: ()}
)
