from __future__ import annotations

import math

from srd.telemetry.exposition import (
    OPENMETRICS,
    TEXT,
    Counter,
    Gauge,
    Histogram,
    ReadCounter,
    render,
)


def text(*families, accept: str = "") -> str:
    return render(families, accept)[0].decode()


def test_a_counter_is_named_total_in_both_formats():
    counter = Counter("hits", "Hits.", ("path",))
    counter.add("/a")
    counter.add("/a", by=2)
    assert '# TYPE hits_total counter\nhits_total{path="/a"} 3\n' in text(counter)
    assert "# TYPE hits counter\n" in text(counter, accept="application/openmetrics-text")


def test_histograms_are_cumulative_and_end_at_infinity():
    histogram = Histogram("wait_seconds", "Wait.", (0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
    lines = [line for line in text(histogram).splitlines() if not line.startswith("#")]
    assert lines == [
        'wait_seconds_bucket{le="0.1"} 2',
        'wait_seconds_bucket{le="1"} 3',
        'wait_seconds_bucket{le="+Inf"} 4',
        f"wait_seconds_sum {0.05 + 0.1 + 0.5 + 7.0!r}",
        "wait_seconds_count 4",
    ]


def test_exemplars_are_said_only_where_the_format_has_them():
    histogram = Histogram("wait_seconds", "Wait.", (0.1,))
    histogram.observe(0.05, trace_id="ab" * 16)
    assert "trace_id" not in text(histogram)
    assert f'# {{trace_id="{"ab" * 16}"}} 0.05' in text(
        histogram, accept="application/openmetrics-text; version=1.0.0"
    )


def test_the_content_type_follows_what_was_asked_for():
    assert render((), "")[1] == TEXT
    body, kind = render((), "application/openmetrics-text")
    assert kind == OPENMETRICS
    assert body == b"# EOF\n"


def test_label_values_are_escaped():
    counter = Counter("x", "X.", ("name",))
    counter.add('a"b\\c\nd')
    assert r'x_total{name="a\"b\\c\nd"} 1' in text(counter)


def test_gauges_and_kept_counters_are_read_when_scraped():
    kept = {"n": 1.0}
    families = (
        Gauge("now", "Now.", lambda: {(): kept["n"]}),
        ReadCounter("ever", "Ever.", lambda: {("a",): kept["n"]}, ("k",)),
    )
    assert "now 1\n" in text(*families)
    kept["n"] = math.inf
    assert "now +Inf\n" in text(*families)
    assert 'ever_total{k="a"} +Inf\n' in text(*families)
