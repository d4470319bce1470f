"""The plugins that srd carries out, in the order in which they act, and what follows from the list.

Why this file exists: a plugin is one module and one line here. The order is upstream's: what
answers comes first, then reasoning, system_prompt, request_params; headers are last and touch
nothing that the others do. It must not know what any of them does.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from srd.body.shapes import Api
from srd.plugins import fast_response, header_mutation, reasoning, request_params, system_prompt
from srd.plugins.headers import header_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from srd.config import Document
    from srd.decide.decision import Decision
    from srd.plugins.entry import Entry, Pairs

TABLE: tuple[Entry[Any], ...] = (
    fast_response.ENTRY,
    reasoning.ENTRY,
    system_prompt.ENTRY,
    request_params.ENTRY,
    header_mutation.ENTRY,
)

#: Tells a debugging client what its decision asked for in vain: a comma list of "plugin: why".
NOT_CARRIED_OUT = "x-vsr-not-carried-out"

_PATHS: Mapping[Api, str] = MappingProxyType(
    {
        Api.CHAT: "/v1/chat/completions",
        Api.COMPLETIONS: "/v1/completions",
        Api.RESPONSES: "/v1/responses",
        Api.ANTHROPIC: "/v1/messages",
    }
)


def without_place(document: Document, table: Sequence[Entry[Any]] = TABLE) -> Iterator[str]:
    """What an operator must know before it is missed: one line for each plugin and API that do not
    go together, with the decisions that ask for it."""
    for entry in table:
        names = [rule.name for rule in document.routing.decisions if entry.asks(rule)]
        if not names:
            continue
        for api, why in entry.no_place.items():
            yield f"{entry.name} is not carried out on {_PATHS[api]} ({why}): {', '.join(names)}."


def debug_headers(decision: Decision, table: Sequence[Entry[Any]] = TABLE) -> Pairs:
    """Response headers for a debugging client: which plugins acted, and which could not."""
    acted = [
        (entry.debug_header, b"true")
        for entry in table
        if entry.debug_header and entry.name in decision.plugins
    ]
    missed = header_value(", ".join(decision.not_carried_out))
    return (*acted, (NOT_CARRIED_OUT, missed)) if missed else tuple(acted)
