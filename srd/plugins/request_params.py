"""`request_params`: members of a request that a decision drops, caps or strips.

Why this file exists: one file per plugin. It differs from upstream where upstream breaks requests:
every API is capped by its own names, and `strip_unknown` knows each API's own members (upstream's
19 names lose `stream_options`, `metadata` and others). It must not know how members are spliced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srd.config.plugins import RequestParamsConfig
from srd.plugins.entry import PluginEdits, document_plugin
from srd.plugins.known_members import ANSWER_COUNTS, ESSENTIAL, KNOWN_MEMBERS, TOKEN_LIMITS

if TYPE_CHECKING:
    from srd.config.decisions import DecisionRule
    from srd.plugins.entry import Situation


def edits(config: RequestParamsConfig, situation: Situation) -> PluginEdits:
    """The edits of the plugin. A member that is dropped is not capped as well."""
    api = situation.api
    drop = frozenset(config.blocked_params) - ESSENTIAL[api]
    cap: dict[str, int] = {}
    if config.max_tokens_limit is not None:
        cap |= dict.fromkeys(TOKEN_LIMITS[api], config.max_tokens_limit)
    if config.max_n is not None:
        cap |= dict.fromkeys(ANSWER_COUNTS[api], config.max_n)
    return PluginEdits(
        drop=drop,
        keep_only=KNOWN_MEMBERS[api] - drop if config.strip_unknown else None,
        cap={name: limit for name, limit in cap.items() if name not in drop},
    )


def token_limit(rule: DecisionRule | None) -> int | None:
    """The upper bound that the decision sets on the length of an answer, in tokens."""
    config = None if rule is None else rule.plugin(RequestParamsConfig)
    return None if config is None else config.max_tokens_limit


ENTRY = document_plugin("request_params", RequestParamsConfig, edits)
