"""`header_mutation`: request headers that a decision adds, overwrites or removes.

Why this file exists: one file per plugin. What may stand in a header is decided in
srd.plugins.headers; this file must not know what the router sets itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from srd.plugins.headers import header_name, header_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from srd.config.plugins import Header, HeaderMutationConfig

Pairs = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class HeaderEdits:
    """`add` appends to what is there, `update` overwrites, `delete` removes."""

    add: Pairs = ()
    update: Pairs = ()
    delete: tuple[str, ...] = ()


def header_edits(config: HeaderMutationConfig | None) -> HeaderEdits:
    """The edits of the plugin, less those that no configuration may make.

    Names that decide where a request goes or where its body ends are left out, and so are headers
    without a value: gateways ignore them (upstream section 2.10).
    """
    if config is None:
        return HeaderEdits()
    names = (header_name(name) for name in config.delete)
    return HeaderEdits(
        add=_pairs(config.add),
        update=_pairs(config.update),
        delete=tuple(name for name in names if name is not None),
    )


def _pairs(headers: Iterable[Header]) -> Pairs:
    found = ((header_name(header.name), header_value(header.value)) for header in headers)
    return tuple((name, value) for name, value in found if name is not None and value)
