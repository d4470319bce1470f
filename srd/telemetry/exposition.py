"""Counters, gauges and histograms as plain numbers, and the two text formats of a scrape.

Why this file exists: an OpenTelemetry instrument costs 13 us a call; a dictionary entry costs a
fraction of one, and nothing is formatted until somebody scrapes. It must not know what is counted.
One event loop counts and renders, so nothing here locks.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

#: Seconds, from a remembered decision to a stalled upload.
SECONDS = (
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0,
)  # fmt: skip
BYTES = (1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0, 67108864.0)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99, 1.0)
TOKENS = (0.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0)

Labels = tuple[str, ...]


@dataclass(slots=True)
class Counter:
    """Only grows. The name carries no `_total`; both formats add it."""

    name: str
    help: str
    labels: Labels = ()
    values: dict[Labels, float] = field(default_factory=dict)

    def add(self, *labels: str, by: float = 1) -> None:
        self.values[labels] = self.values.get(labels, 0) + by

    def lines(self, openmetrics: bool) -> Iterator[str]:
        head = self.name if openmetrics else f"{self.name}_total"
        yield from _head(head, self.help, "counter")
        for labels, value in self.values.items():
            yield f"{self.name}_total{_labels(self.labels, labels)} {_number(value)}"


@dataclass(slots=True)
class Gauge:
    """Read when scraped: `read` gives the value of every label tuple."""

    name: str
    help: str
    read: Callable[[], Mapping[Labels, float]]
    labels: Labels = ()

    def lines(self, openmetrics: bool) -> Iterator[str]:
        yield from _head(self.name, self.help, "gauge")
        for labels, value in self.read().items():
            yield f"{self.name}{_labels(self.labels, labels)} {_number(value)}"


@dataclass(slots=True)
class ReadCounter:
    """A counter that somebody else keeps; read when scraped."""

    name: str
    help: str
    read: Callable[[], Mapping[Labels, float]]
    labels: Labels = ()

    def lines(self, openmetrics: bool) -> Iterator[str]:
        yield from Counter(self.name, self.help, self.labels, dict(self.read())).lines(openmetrics)


@dataclass(slots=True)
class _Series:
    counts: list[int]
    total: float = 0.0
    exemplars: dict[int, tuple[str, float]] = field(default_factory=dict)


@dataclass(slots=True)
class Histogram:
    """Counts per bucket; the last exemplar (a trace id) of each bucket is kept."""

    name: str
    help: str
    buckets: Sequence[float]
    labels: Labels = ()
    series: dict[Labels, _Series] = field(default_factory=dict)

    def observe(self, value: float, *labels: str, trace_id: str = "") -> None:
        series = self.series.get(labels)
        if series is None:
            series = self.series[labels] = _Series([0] * (len(self.buckets) + 1))
        index = bisect_left(self.buckets, value)
        series.counts[index] += 1
        series.total += value
        if trace_id:
            series.exemplars[index] = (trace_id, value)

    def lines(self, openmetrics: bool) -> Iterator[str]:
        yield from _head(self.name, self.help, "histogram")
        names = (*self.labels, "le")
        for labels, series in self.series.items():
            seen = 0
            for index, bound in enumerate((*self.buckets, math.inf)):
                seen += series.counts[index]
                line = f"{self.name}_bucket{_labels(names, (*labels, _number(bound)))} {seen}"
                exemplar = series.exemplars.get(index) if openmetrics else None
                if exemplar is not None:
                    line += f' # {{trace_id="{exemplar[0]}"}} {_number(exemplar[1])}'
                yield line
            yield f"{self.name}_sum{_labels(self.labels, labels)} {_number(series.total)}"
            yield f"{self.name}_count{_labels(self.labels, labels)} {seen}"


Family = Counter | Gauge | ReadCounter | Histogram


def render(families: Sequence[Family], accept: str) -> tuple[bytes, str]:
    """The scrape's body and content type: OpenMetrics where it is asked for, else text 0.0.4."""
    openmetrics = "application/openmetrics-text" in accept
    lines = [line for family in families for line in family.lines(openmetrics)]
    if openmetrics:
        lines.append("# EOF")
    return ("\n".join(lines) + "\n").encode(), OPENMETRICS if openmetrics else TEXT


def _head(name: str, text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _labels(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    pairs = ",".join(f'{n}="{_escaped(v)}"' for n, v in zip(names, values, strict=True))
    return f"{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if value == math.inf:
        return "+Inf"
    return str(int(value)) if float(value).is_integer() else repr(float(value))
