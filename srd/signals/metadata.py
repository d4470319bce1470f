"""`metadata`: a member of the request's `metadata` object.

Why this file exists: clients tag requests, decisions route by the tag. It must not know how the
object is found in the body.
"""

from dataclasses import dataclass

import msgspec

from srd.config.base import Name, Part, Word
from srd.signals.base import UNKNOWN, Evidence, Reach, Reading
from srd.signals.entry import Place, Rule, SignalType
from srd.signals.readings import is_final, yes_or_no


class MetadataPredicate(Part, frozen=True, kw_only=True):
    """Exactly one of these."""

    equals: Word | None = None
    in_: tuple[Word, ...] | None = msgspec.field(name="in", default=None)
    exists: bool | None = None


class MetadataRule(Rule, frozen=True, kw_only=True):
    """A member of the request's `metadata` object."""

    key: Name
    predicate: MetadataPredicate


@dataclass(frozen=True, slots=True, repr=False)
class MetadataSignal:
    """`equals`, `in` and `exists` as far as given, all of them; compared exactly."""

    name: str
    reach: Reach
    key: str
    predicate: MetadataPredicate
    type: str = "metadata"
    heads: frozenset[str] = frozenset()

    def read(self, evidence: Evidence) -> Reading:
        """Answers only when no more members will come. `detail` names the key, not the value."""
        if not is_final(self.reach, evidence):
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


def compile_metadata(rule: MetadataRule, reach: Reach) -> MetadataSignal:
    """The rule, ready to be read."""
    return MetadataSignal(rule.name, reach, rule.key, rule.predicate)


def _check(rule: MetadataRule, place: Place) -> None:
    problems, path, predicate = place.problems, place.at("predicate"), rule.predicate
    given = (predicate.equals, predicate.in_, predicate.exists)
    count = sum(value is not None for value in given)
    if count != 1 and problems.written(path) and not problems.broken(path):
        problems.error(path, f"give exactly one of equals, in and exists, not {count}")


ENTRY = SignalType(
    name="metadata",
    section="metadata",
    rule=MetadataRule,
    check=_check,
    scope="full",
    reach=lambda rule: Reach.BODY,
    compile=lambda rule, making: compile_metadata(rule, making.reach),
)
