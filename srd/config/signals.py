"""`routing.signals`: what is asked of a prompt, one list of rules per signal type.

Why this file exists: one module per part of upstream's v0.3 document. The sections are those of the
table of signal types, where each type says what its rules hold; nobody repeats them here. It must
not know any of the types.

The table is the lower of the two: its modules import no part of the document but base, rules and
problems, so this import is no circle.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from srd.config.base import Part
from srd.signals.entry import Rule, SignalType
from srd.signals.table import TABLE

__all__ = ["Signals"]

R = TypeVar("R", bound=Rule)


class _Sections(Part, frozen=True, kw_only=True):
    """Declared rules. After loading, `domains` holds the automatically declared ones too."""

    def of(self, entry: SignalType[R]) -> tuple[R, ...]:
        """The rules declared for a type; none for a type that is declared elsewhere."""
        rules: tuple[R, ...] = getattr(self, entry.section) if entry.section else ()
        return rules

    def rules(self) -> Iterator[tuple[SignalType[Any], Rule]]:
        """Every declared rule with its type."""
        for entry in TABLE:
            for rule in self.of(entry):
                yield entry, rule


if TYPE_CHECKING:

    class Signals(_Sections, frozen=True, kw_only=True):
        """The sections have no names for a type checker: `of` knows their rules' types."""

else:
    Signals = msgspec.defstruct(
        "Signals",
        [(entry.section, tuple[entry.rule, ...], ()) for entry in TABLE if entry.section],
        bases=(_Sections,),
        namespace={"__doc__": _Sections.__doc__},
        module=__name__,
        frozen=True,
        kw_only=True,
    )
