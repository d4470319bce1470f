"""Every signal type, in the order of the document's sections, and what follows from the list.

Why this file exists: a signal type is one module and one line here; types that srd does not
evaluate stand in it too. It must not know what any of them looks at.
"""

from __future__ import annotations

from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from srd.signals import (
    authz,
    complexity,
    context,
    conversation,
    domain,
    embedding,
    event,
    jailbreak,
    keyword,
    language,
    metadata,
    pii,
    structure,
    upstream_only,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srd.config.catalog import Modules
    from srd.signals.entry import SignalType

TABLE: tuple[SignalType[Any], ...] = (
    keyword.ENTRY,
    domain.ENTRY,
    embedding.ENTRY,
    complexity.ENTRY,
    language.ENTRY,
    context.ENTRY,
    structure.ENTRY,
    conversation.ENTRY,
    event.ENTRY,
    metadata.ENTRY,
    jailbreak.ENTRY,
    pii.ENTRY,
    upstream_only.FACT_CHECK,
    upstream_only.USER_FEEDBACK,
    upstream_only.REASK,
    upstream_only.PREFERENCE,
    upstream_only.MODALITY,
    authz.ENTRY,
    upstream_only.KB,
    upstream_only.CLASSIFIER,
    upstream_only.PROJECTION,
)

#: By what a leaf's `type` says.
BY_NAME: Mapping[str, SignalType[Any]] = MappingProxyType({entry.name: entry for entry in TABLE})

#: Everything that a leaf's `type` may say.
LEAF_TYPES: tuple[str, ...] = tuple(BY_NAME)


def switched_off(modules: Modules) -> frozenset[str]:
    """The signal types whose classifier the operator has switched off; its head has their name."""
    return frozenset(
        entry.name
        for entry in TABLE
        if entry.module and not attrgetter(f"{entry.module}.enabled")(modules)
    )
