"""One exchange's readings: what has not changed is not measured again.

Why this file exists: a body is looked at several times, and a text of 256 KB costs every keyword
rule milliseconds each time. It must not know when anybody looks, nor what a reading leads to.
"""

from collections.abc import Mapping
from dataclasses import replace

from srd.signals.base import Evidence, Reading
from srd.signals.catalog import SignalSet


class Reader:
    """`SignalSet.read` of one exchange, with the last look remembered.

    A signal without heads does not look at scores: its reading is kept while all else is as it was.
    Signals with heads are read anew: they cost nothing but their classifier.
    """

    def __init__(self, signals: SignalSet) -> None:
        self._signals = signals
        self._seen: Evidence | None = None
        self._readings: Mapping[str, Reading] = {}

    def read(self, evidence: Evidence) -> Mapping[str, Reading]:
        """As `SignalSet.read`, key for key."""
        seen = replace(evidence, scores=None, forced=False)
        known = self._readings if seen == self._seen else {}
        readings = {}
        for key, signal in zip(self._signals.keys, self._signals.signals, strict=True):
            keep = key in known and not signal.heads
            readings[key] = known[key] if keep else signal.read(evidence)
        self._seen, self._readings = seen, readings
        return readings

    def __repr__(self) -> str:
        return f"<Reader of {self._signals!r}>"
