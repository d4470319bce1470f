"""Writes dashboard.json: the panels as a table, so that a change can be read in a diff.

python otel/dashboard.py
"""

from __future__ import annotations

import json
from pathlib import Path

JOB = '{job=~"$job",instance=~"$instance"}'


def rate(name: str, by: str) -> str:
    return f"sum by ({by}) (rate({name}{JOB}[$__rate_interval]))"


def quantile(q: float, name: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    buckets = f"rate({name}_bucket{JOB}[$__rate_interval])"
    return f"histogram_quantile({q}, sum by ({labels}) ({buckets}))"


# (row, title, kind, unit, [(expression, legend)])
PANELS: list[tuple[str, str, str, str, list[tuple[str, str]]]] = [
    ("Who goes where, and why", "Requests by model", "timeseries", "reqps",
     [(rate("llm_model_requests_total", "model"), "{{model}}")]),
    ("Who goes where, and why", "Decisions", "timeseries", "reqps",
     [(rate("llm_decision_match_total", "decision_name"), "{{decision_name}}")]),
    ("Who goes where, and why", "On what evidence", "timeseries", "reqps",
     [(rate("srd_decisions_total", "basis"), "{{basis}}")]),
    ("Who goes where, and why", "Confidence of the winner, median", "timeseries", "percentunit",
     [(quantile(0.5, "llm_decision_confidence", "decision_name"), "{{decision_name}}")]),
    ("What it costs", "Time added before the upstream's first byte", "timeseries", "s",
     [(quantile(0.5, "srd_added_seconds"), "p50"), (quantile(0.99, "srd_added_seconds"), "p99")]),
    ("What it costs", "First body byte to the decision", "timeseries", "s",
     [(quantile(0.5, "srd_decision_seconds", "basis"), "p50 {{basis}}"),
      (quantile(0.99, "srd_decision_seconds", "basis"), "p99 {{basis}}")]),
    ("What it costs", "Decided before the body's end", "stat", "percentunit",
     [(f"avg(srd_early_share{JOB})", "early")]),
    ("What it costs", "Body bytes read at the decision", "timeseries", "bytes",
     [(quantile(0.5, "srd_decision_bytes", "basis"), "p50 {{basis}}")]),
    ("What it costs", "Tokens by model", "timeseries", "short",
     [(rate("llm_model_tokens_total", "model"), "{{model}}")]),
    ("What it costs", "Time to first token, p50", "timeseries", "s",
     [(quantile(0.5, "llm_model_ttft_seconds", "model"), "{{model}}")]),
    ("Is it healthy", "Ready", "stat", "short", [(f"min(srd_ready{JOB})", "ready")]),
    ("Is it healthy", "Fallbacks", "timeseries", "reqps",
     [(rate("srd_fallbacks_total", "reason"), "{{reason}}")]),
    ("Is it healthy", "Answered by srd", "timeseries", "reqps",
     [(rate("srd_streams_refused_total", "reason"), "{{reason}}")]),
    ("Is it healthy", "Streams open", "timeseries", "short",
     [(f"sum(srd_streams_open{JOB})", "open")]),
    ("Is it healthy", "Body bytes held", "timeseries", "bytes",
     [(f"sum(srd_bytes_held{JOB})", "held")]),
    ("Is it healthy", "Classifier queue", "timeseries", "short",
     [(f"sum(srd_classifier_queued{JOB})", "waiting"),
      (f"sum(srd_classifier_running{JOB})", "running")]),
    ("Is it healthy", "One ask of the classifier, p99", "timeseries", "s",
     [(quantile(0.99, "srd_classifier_seconds", "stage"), "{{stage}}")]),
    ("Is it healthy", "Exchanges that failed", "timeseries", "reqps",
     [(rate("srd_exchanges_total", "outcome"), "{{outcome}}")]),
]  # fmt: skip


def dashboard() -> dict[str, object]:
    panels: list[dict[str, object]] = []
    row, x, y = "", 0, 0
    source = {"type": "prometheus", "uid": "${datasource}"}
    for number, (section, title, kind, unit, targets) in enumerate(PANELS, start=1):
        if section != row:
            row, x, y = section, 0, y + 8
            place = {"h": 1, "w": 24, "x": 0, "y": y}
            panels.append({"id": 100 + number, "type": "row", "title": row, "gridPos": place})
            y += 1
        panels.append(
            {
                "id": number,
                "type": kind,
                "title": title,
                "datasource": source,
                "gridPos": {"h": 8, "w": 12, "x": x, "y": y},
                "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
                "targets": [
                    {"refId": chr(65 + i), "expr": expr, "legendFormat": legend}
                    for i, (expr, legend) in enumerate(targets)
                ],
            }
        )
        x, y = (12, y) if x == 0 else (0, y + 8)
    return {
        "title": "srd",
        "uid": "srd-overview",
        "schemaVersion": 36,
        "tags": ["srd"],
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                _variable("job", "label_values(srd_build_info, job)"),
                _variable("instance", 'label_values(srd_build_info{job=~"$job"}, instance)'),
            ]
        },
        "panels": panels,
    }


def _variable(name: str, query: str) -> dict[str, object]:
    return {
        "name": name,
        "type": "query",
        "query": query,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "includeAll": True,
        "multi": True,
        "refresh": 2,
    }


def text() -> str:
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("dashboard.json").write_text(text())
