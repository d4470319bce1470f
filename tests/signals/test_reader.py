from collections.abc import Callable
from dataclasses import dataclass, field

from srd.classify.api import Scores
from srd.signals.base import Evidence, Reach, Reading, Truth
from srd.signals.catalog import SignalSet
from srd.signals.reader import Reader

Moment = Callable[..., Evidence]


@dataclass
class Counting:
    """Says how often it was read."""

    type: str
    heads: frozenset[str] = frozenset()
    name: str = "n"
    reach: Reach = Reach.WINDOW
    texts: list[str] = field(default_factory=list)

    def read(self, evidence: Evidence) -> Reading:
        self.texts.append(evidence.text)
        return Reading(Truth.TRUE, score=float(len(self.texts)))


def test_what_has_not_changed_is_not_read_again(early: Moment, settled: Moment) -> None:
    words, learned = Counting("keyword"), Counting("domain", frozenset({"domain"}))
    reader = Reader(SignalSet((words, learned), ("keyword:n", "domain:n")))
    first = reader.read(early("a"))
    again = reader.read(early("a", scores=Scores(domain={"x": 1.0}), forced=True))
    assert first["keyword:n"] is again["keyword:n"]
    assert (words.texts, learned.texts) == (["a"], ["a", "a"])
    reader.read(early("ab"))
    reader.read(settled("ab"))
    reader.read(settled("ab", headers={"x": "y"}))
    assert words.texts == ["a", "ab", "ab", "ab"]


def test_a_reader_says_what_the_set_says(whole: Moment) -> None:
    signals = SignalSet((Counting("keyword"),), ("keyword:n",))
    assert Reader(signals).read(whole("a")).keys() == signals.read(whole("a")).keys()
