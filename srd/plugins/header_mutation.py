"""`header_mutation`: request headers that a decision adds, overwrites or removes.

Why this file exists: one file per plugin. What may stand in a header is decided in
srd.plugins.headers; this file must not know what the router sets itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srd.config.plugins import HeaderMutationConfig
from srd.plugins.entry import PluginEdits, document_plugin
from srd.plugins.headers import header_name, header_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srd.config.plugins import Header
    from srd.plugins.entry import Pairs, Situation


def edits(config: HeaderMutationConfig, situation: Situation) -> PluginEdits:
    """The edits of the plugin, less those that no configuration may make.

    Names that decide where a request goes or where its body ends are left out, and so are headers
    without a value, which gateways ignore. A name that is added more than once is added once, with
    its values in the document's order and ", " between them: to HTTP that is the same, and a
    gateway cannot lose one. A name that is deleted and added is overwritten.
    """
    added: dict[str, bytes] = {}
    for name, value in _pairs(config.add):
        added[name] = b", ".join((added[name], value)) if name in added else value
    names = (header_name(name) for name in config.delete)
    delete = dict.fromkeys(name for name in names if name is not None)
    return PluginEdits(
        add=tuple((name, value) for name, value in added.items() if name not in delete),
        update=(
            *((name, value) for name, value in added.items() if name in delete),
            *_pairs(config.update),
        ),
        delete=tuple(name for name in delete if name not in added),
    )


def _pairs(headers: Iterable[Header]) -> Pairs:
    found = ((header_name(header.name), header_value(header.value)) for header in headers)
    return tuple((name, value) for name, value in found if name is not None and value)


ENTRY = document_plugin("header_mutation", HeaderMutationConfig, edits)
