from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess

import pytest

from srd.exchange.commands import Observed
from srd.telemetry.metrics import fallback_label


def scrape(metrics, accept: str = "") -> str:
    return metrics.render(accept)[0].decode()


def test_a_decision_is_counted_under_upstreams_names_and_ours(metrics, exchange):
    record, _ = exchange()
    metrics.decided(record)
    assert 'llm_model_inflight_requests{model="math-expert"} 1' in scrape(metrics)
    metrics.ended(record)
    said = scrape(metrics)
    for line in (
        'llm_model_requests_total{model="math-expert"} 1',
        'llm_routing_reason_codes_total{reason_code="auto_routing",model="math-expert"} 1',
        'llm_model_routing_modifications_total{source_model="auto",target_model="math-expert"} 1',
        'llm_decision_match_total{decision_name="math_decision"} 1',
        'llm_signal_match_total{signal_type="domain",signal_name="math"} 1',
        'srd_decisions_total{basis="complete",decision="math_decision",model="math-expert"} 1',
        'srd_exchanges_total{outcome="ok"} 1',
        'llm_model_inflight_requests{model="math-expert"} 0',
        'srd_added_seconds_count{basis="complete"} 1',
        "srd_streams_open 2",
        "srd_bytes_held 300",
        'srd_config_reloads_total{result="ok"} 1',
    ):
        assert line in said


def test_usage_gives_tokens_and_times(metrics, exchange):
    record, _ = exchange()
    metrics.decided(record)
    record.response_headers_at = record.replied_at + 0.05
    record.observed = Observed("math-expert", 7, 3, 0, False, 200)
    metrics.ended(record)
    said = scrape(metrics)
    assert 'llm_model_tokens_total{model="math-expert"} 10' in said
    assert 'llm_model_ttft_seconds_count{model="math-expert"} 1' in said
    assert 'llm_model_tpot_seconds_count{model="math-expert"} 1' in said


def test_every_plugin_that_acted_is_counted_under_its_decision(metrics, exchange):
    record, _ = exchange()
    acted = ("reasoning", "system_prompt", "header_mutation")
    record.decision = dataclasses.replace(record.decision, plugins=acted)
    metrics.decided(record)
    counted = [line for line in scrape(metrics).splitlines() if "llm_plugin_execution_" in line]
    labels = 'decision_name="math_decision",status="success"} 1'
    assert sorted(line for line in counted if not line.startswith("#")) == [
        f'llm_plugin_execution_total{{plugin_type="header_mutation",{labels}',
        f'llm_plugin_execution_total{{plugin_type="system_prompt",{labels}',
    ]


def test_a_fallback_is_counted_with_a_reason_of_ours(metrics, exchange):
    assert fallback_label("classifier_timeout") == "classifier_timeout"
    assert fallback_label("anything a library said") == "classifier_unavailable"


def test_no_word_of_a_client_becomes_a_label(metrics, exchange):
    raw = json.dumps({"model": "canary-model", "messages": [{"role": "user", "content": "canary"}]})
    record, _ = exchange(raw.encode(), extra={"x-request-id": "canary", "authorization": "canary"})
    record.refused_status = 400
    metrics.decided(record)
    metrics.ended(record)
    assert "canary" not in scrape(metrics)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus)")
@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
def test_promtool_takes_a_scrape(metrics, exchange, accept):
    record, _ = exchange()
    metrics.decided(record, "ab" * 16)
    metrics.ended(record, "ab" * 16)
    if accept:  # promtool reads the older format only; the other one must at least end as it should
        assert scrape(metrics, accept).endswith("# EOF\n")
        return
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=scrape(metrics).encode(), capture_output=True,
        check=False,
    )  # fmt: skip
    problems = [
        line
        for line in done.stderr.decode().splitlines()
        # Upstream's own name, which its dashboards ask for.
        if line and "llm_cache" not in line
    ]
    assert done.returncode == 0, problems
