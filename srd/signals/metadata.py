"""`metadata`: a member of the request's `metadata` object.

Why this file exists: clients tag requests, decisions route by the tag. It must not know how the
object is found in the body.
"""

from dataclasses import dataclass

from srd.config.signals import MetadataPredicate, MetadataRule
from srd.signals.base import UNKNOWN, Evidence, Reading, Scope
from srd.signals.readings import is_final, yes_or_no


@dataclass(frozen=True, slots=True, repr=False)
class MetadataSignal:
    """`equals`, `in` and `exists` as far as given, all of them; compared exactly."""

    name: str
    scope: Scope
    key: str
    predicate: MetadataPredicate
    type: str = "metadata"
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        """Answers only when no more members will come. `detail` names the key, not the value."""
        if not is_final(self.scope, evidence):
            return UNKNOWN
        return yes_or_no(self._matches(evidence.metadata.get(self.key)), 1.0, None, self.key)

    def _matches(self, value: str | None) -> bool:
        wanted = self.predicate
        if wanted.exists is not None and wanted.exists != (value is not None):
            return False
        if wanted.equals is not None and value != wanted.equals:
            return False
        return wanted.in_ is None or value in wanted.in_

    def __repr__(self) -> str:
        return f"<metadata:{self.name} {self.key}>"


def compile_metadata(rule: MetadataRule, scope: Scope) -> MetadataSignal:
    """The rule, ready to be read."""
    return MetadataSignal(rule.name, scope, rule.key, rule.predicate)
