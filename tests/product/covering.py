"""Covering arrays: few rows in which every feasible triple of values occurs.

Why this file exists: the full product has tens of millions of points; faults of such systems need
two or three values together. The generator is greedy: each row starts with a triple that is still
uncovered and takes, axis by axis, the value that covers most. It must not know what axes mean.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Row = dict[str, str]
Feasible = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class Covering:
    """The rows, how many triples are feasible, and how many of them the rows cover."""

    rows: tuple[Row, ...]
    feasible: int
    covered: int

    def __str__(self) -> str:
        share = 100 * self.covered / self.feasible
        return (
            f"{len(self.rows)} rows cover {self.covered} of {self.feasible} "
            f"feasible triples ({share:.2f} %)"
        )


def covering(axes: Mapping[str, Sequence[str]], feasible: Feasible, *, seed: int = 0) -> Covering:
    """Rows that cover every feasible triple.

    `feasible` judges any subset of the axes; it must be false for a whole row when it is for a
    part of it. A triple counts as feasible when some whole row holds it: that is searched for,
    not assumed.
    """
    rng = random.Random(seed)
    builder = _Builder(axes, feasible, rng)
    rows = []
    for start in _shuffled(builder.triples(), rng):
        if not builder.open(start):
            continue
        row = builder.grow(start)
        if row is not None:
            rows.append(row)
    wanted = sum(1 for start in builder.triples() if not builder.impossible(start))
    return Covering(tuple(rows), wanted, covered_by(rows, axes))


def covered_by(rows: Sequence[Row], axes: Mapping[str, Sequence[str]]) -> int:
    """How many different triples stand in these rows; counted without the generator's books."""
    names = list(axes)
    seen = set()
    for row in rows:
        for chosen in itertools.combinations(names, 3):
            seen.add(tuple((name, row[name]) for name in chosen))
    return len(seen)


Triple = tuple[tuple[int, int], ...]


def _shuffled(triples: Iterator[Triple], rng: random.Random) -> list[Triple]:
    found = list(triples)
    rng.shuffle(found)
    return found


class _Builder:
    def __init__(
        self, axes: Mapping[str, Sequence[str]], feasible: Feasible, rng: random.Random
    ) -> None:
        self._names = list(axes)
        self._values = [list(axes[name]) for name in self._names]
        self._feasible = feasible
        self._rng = rng
        shape = [len(values) for values in self._values]
        self._open = {
            (i, j, k): np.ones((shape[i], shape[j], shape[k]), dtype=bool)
            for i, j, k in itertools.combinations(range(len(shape)), 3)
        }
        self._impossible: set[Triple] = set()

    def triples(self) -> Iterator[Triple]:
        for axes in itertools.combinations(range(len(self._names)), 3):
            for values in itertools.product(*(range(len(self._values[a])) for a in axes)):
                yield tuple(zip(axes, values, strict=True))

    def open(self, triple: Triple) -> bool:
        (i, a), (j, b), (k, c) = triple
        return bool(self._open[i, j, k][a, b, c])

    def impossible(self, triple: Triple) -> bool:
        return triple in self._impossible

    def grow(self, start: Triple) -> Row | None:
        """A whole row with `start` in it, marked as covered; None when there is none."""
        row = dict(start)
        rest = [axis for axis in range(len(self._names)) if axis not in row]
        self._rng.shuffle(rest)
        if not self._allowed(row) or not self._complete(row, rest):
            self._impossible.add(start)
            return None
        for i, j, k in self._open:
            self._open[i, j, k][row[i], row[j], row[k]] = False
        return {self._names[axis]: self._values[axis][value] for axis, value in row.items()}

    def _complete(self, row: dict[int, int], rest: list[int]) -> bool:
        """Depth first, best value first: finds a row whenever one exists."""
        if not rest:
            return True
        axis, *others = rest
        gains = self._gains(row, axis)
        order = list(range(len(gains)))
        self._rng.shuffle(order)
        for value in sorted(order, key=lambda v: -gains[v]):
            row[axis] = value
            if self._allowed(row) and self._complete(row, others):
                return True
        del row[axis]
        return False

    def _gains(self, row: dict[int, int], axis: int) -> np.ndarray:
        gains = np.zeros(len(self._values[axis]), dtype=int)
        for p, q in itertools.combinations(sorted(a for a in row if a != axis), 2):
            i, j, k = sorted((p, q, axis))
            index = tuple(slice(None) if a == axis else row[a] for a in (i, j, k))
            gains += self._open[i, j, k][index]
        return gains

    def _allowed(self, row: dict[int, int]) -> bool:
        return self._feasible({self._names[a]: self._values[a][v] for a, v in row.items()})
