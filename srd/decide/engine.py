"""Which decision wins, or what must still be read before one can.

Why this file exists: ranking under uncertainty is one question with one answer, and every caller
(serving, classify, explain) must get the same one. It must not know what a winner leads to: models,
plugins and headers are others' business.

The rule: a winner is final when no completion of the unknown leaves gives another winner. Each
decision's outcome bounds its confidence to an interval, so a decision's place in the ranking lies
between two sort keys; the champion is the TRUE decision with the greatest lower key, and whatever
has its upper key above the champion's lower key is still in the race.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from srd.config.decisions import blocks
from srd.decide.rules import LeafTable, Outcome, Tree
from srd.signals.base import Reading, Truth

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from srd.config import Document
    from srd.config.decisions import DecisionRule

#: A place in the ranking; the greatest wins.
SortKey = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Final:
    """No unknown leaf can change the winner. `rule` is None when nothing can match any more.

    `confidence` is the least that the winner has (exact once nothing is unknown), `matched` its
    leaf keys in document order. `runner_up` is the best of the other decisions known to match,
    `margin` the winner's confidence minus its (negative where priority outranks confidence).
    """

    rule: DecisionRule | None
    confidence: float = 0.0
    matched: tuple[str, ...] = ()
    runner_up: str | None = None
    margin: float | None = None

    def __repr__(self) -> str:
        name = "no decision" if self.rule is None else self.rule.name
        return f"<Final {name} p={self.confidence:.2f} by {', '.join(self.matched) or '-'}>"


@dataclass(frozen=True, slots=True)
class Pending:
    """More than one winner is possible.

    Once every leaf in `blocking` is known, the verdict is final, whatever they turn out to be.
    """

    blocking: frozenset[str]

    def __repr__(self) -> str:
        return f"<Pending on {', '.join(sorted(self.blocking))}>"


Verdict = Final | Pending


@dataclass(frozen=True, slots=True)
class Contender:
    """A decision's rule with what it says now."""

    rule: DecisionRule
    outcome: Outcome


class Engine:
    """The decisions of one document, compiled. Immutable; shared by all exchanges.

    `answered` names the leaf keys for which a signal exists; leaves outside it never match. None
    means that every leaf may be answered.
    """

    def __init__(self, document: Document, *, answered: Container[str] | None = None) -> None:
        self.decisions = document.routing.decisions
        self.strategy = document.strategy
        self._table = LeafTable(answered)
        self._trees = tuple(
            Tree(rule.rules, self._table, blocking=blocks(rule)) for rule in self.decisions
        )
        names = sorted(rule.name for rule in self.decisions)
        place = {name: -index for index, name in enumerate(names)}
        self._plain: list[tuple[SortKey, SortKey]] = []
        self._tiered: list[tuple[SortKey, SortKey]] = []
        for rule in self.decisions:
            # What is compared before and after the confidence; greater wins, names ascend (1.7).
            rest = (rule.priority, place[rule.name])
            by_priority = ((rule.priority,), (place[rule.name],))
            self._plain.append(((), rest) if self.strategy == "confidence" else by_priority)
            self._tiered.append(((-rule.tier,), rest))

    def __repr__(self) -> str:
        return (
            f"<Engine {len(self.decisions)} decisions, {len(self.leaf_keys)} leaves, "
            f"by {self.strategy}>"
        )

    @property
    def leaf_keys(self) -> tuple[str, ...]:
        """Every leaf key that a decision refers to, in document order, without repetition."""
        return tuple(dict.fromkeys(self._table.keys))

    def outcomes(
        self, readings: Mapping[str, Reading], *, forced: bool = False
    ) -> tuple[Contender, ...]:
        """What every decision says now, in document order; for explanations."""
        leaves = self._table.outcomes(readings, forced=forced)
        return tuple(
            Contender(rule, tree.evaluate(leaves))
            for rule, tree in zip(self.decisions, self._trees, strict=True)
        )

    def judge(self, readings: Mapping[str, Reading], *, forced: bool = False) -> Verdict:
        """Final when no unknown leaf can change the winner, else Pending. O(nodes + decisions).

        `forced`: UNKNOWN counts as FALSE, so the verdict is always Final. Sound for every document.
        Also complete (never Pending without two possible winners) while no leaf occurs twice: the
        leaves are taken as independent, so `x OR NOT x` waits for x.
        """
        field = self.outcomes(readings, forced=forced)
        alive = [i for i, c in enumerate(field) if c.outcome.truth is not Truth.FALSE]
        if not alive:
            return Final(None)
        modes = self._modes(field, alive)
        race: set[int] = set()
        champions: set[int] = set()
        for tiered in modes:
            champion, rivals = self._race(field, alive, tiered=tiered)
            race |= rivals
            if champion is not None:
                champions.add(champion)
        if len(race) == 1 and champions == race:
            return self._final(field, alive, race.pop(), tiered=modes == (True,))
        open_bits = 0
        for i in race:
            open_bits |= field[i].outcome.open
        if len(modes) > 1:  # the ordering itself is undecided: who could switch it blocks too
            for i in alive:
                if field[i].rule.tier > 0:
                    open_bits |= field[i].outcome.open
        return Pending(self._table.keys_in(open_bits))

    @staticmethod
    def _modes(field: tuple[Contender, ...], alive: Iterable[int]) -> tuple[bool, ...]:
        """The orderings that are still possible: (False,) plain, (True,) tiered, or both.

        One matched decision with a tier above 0 switches to tiers (as upstream).
        """
        tiers = [field[i].outcome.truth for i in alive if field[i].rule.tier > 0]
        if Truth.TRUE in tiers:
            return (True,)
        return (False, True) if tiers else (False,)

    def _key(self, index: int, confidence: float, *, tiered: bool) -> SortKey:
        before, after = (self._tiered if tiered else self._plain)[index]
        return (*before, confidence, *after)

    def _race(
        self, field: tuple[Contender, ...], alive: Iterable[int], *, tiered: bool
    ) -> tuple[int | None, set[int]]:
        """The champion under one ordering, and everyone (it included) who may still win."""
        # Under the plain ordering nobody with a tier has matched.
        possible = [i for i in alive if tiered or field[i].rule.tier <= 0]
        champion: int | None = None
        floor: SortKey = ()
        for i in possible:
            if field[i].outcome.truth is Truth.TRUE:
                key = self._key(i, field[i].outcome.lo, tiered=tiered)
                if champion is None or key > floor:
                    champion, floor = i, key
        if champion is None:
            return None, set(possible)
        return champion, {
            i
            for i in possible
            if i == champion or self._key(i, field[i].outcome.hi, tiered=tiered) > floor
        }

    def _final(
        self, field: tuple[Contender, ...], alive: Iterable[int], winner: int, *, tiered: bool
    ) -> Final:
        second: int | None = None
        for i in alive:
            if i == winner or field[i].outcome.truth is not Truth.TRUE:
                continue
            if second is None or self._key(i, field[i].outcome.lo, tiered=tiered) > self._key(
                second, field[second].outcome.lo, tiered=tiered
            ):
                second = i
        best = field[winner]
        return Final(
            rule=best.rule,
            confidence=best.outcome.lo,
            matched=best.outcome.matched,
            runner_up=None if second is None else field[second].rule.name,
            margin=None if second is None else best.outcome.lo - field[second].outcome.lo,
        )
