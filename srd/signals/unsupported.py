"""Signals of upstream that srd does not have, or that the operator has switched off.

Why this file exists: a document that uses one still loads (with a warning), and its decisions must
mean something: such a signal never matches. It must not know which types these are.
"""

from dataclasses import dataclass

from srd.signals.base import Evidence, Reach, Reading
from srd.signals.readings import FALSE


@dataclass(frozen=True, slots=True)
class UnsupportedSignal:
    """A stub: false at once and always.

    Under NOT it is therefore true, as for upstream when the feature is switched off.
    """

    type: str
    name: str
    reach: Reach = Reach.WINDOW
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        """Never depends on the evidence."""
        return FALSE
