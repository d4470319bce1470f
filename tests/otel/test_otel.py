"""What operators copy out of otel/ fits what a scrape really says."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from srd.classify.api import Statistics
from srd.decide.memo import Memo
from srd.telemetry.exposition import Gauge
from srd.telemetry.metrics import Metrics

OTEL = Path(__file__).resolve().parents[2] / "otel"
_METRIC = re.compile(r"\b(?:srd|llm|process)_[a-z_]+")


@pytest.fixture(scope="module")
def names() -> set[str]:
    """Every sample name that a scrape can have."""
    classifier = SimpleNamespace(statistics=lambda: Statistics())
    service = SimpleNamespace(
        policy=SimpleNamespace(memo=Memo()), classifier=classifier, open_streams=0, held_bytes=0,
        pressure_events=0, refused_streams=0,
    )  # fmt: skip
    daemon = SimpleNamespace(state="ready", reloads={}, service=service)
    found: set[str] = set()
    for family in Metrics(daemon)._families():
        if isinstance(family, Gauge):
            found.add(family.name)
        elif hasattr(family, "buckets"):
            found |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
        else:
            found.add(f"{family.name}_total")
    return found


def panels() -> list[dict]:
    document = json.loads((OTEL / "dashboard.json").read_text())
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def test_the_dashboard_is_what_its_table_says():
    spec = importlib.util.spec_from_file_location("dashboard", OTEL / "dashboard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (OTEL / "dashboard.json").read_text() == module.text()


def test_every_expression_of_the_dashboard_names_a_metric_that_exists(names):
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            used = set(_METRIC.findall(target["expr"]))
            assert used, panel["title"]
            assert used <= names, panel["title"]


def test_every_variable_is_defined():
    document = json.loads((OTEL / "dashboard.json").read_text())
    defined = {v["name"] for v in document["templating"]["list"]} | {"__rate_interval"}
    text = json.dumps(document)
    assert set(re.findall(r"\$\{?([A-Za-z_]+)", text)) <= defined


def test_every_alert_names_metrics_that_exist(names):
    document = yaml.safe_load((OTEL / "alerts.yaml").read_text())
    for rule in document["groups"][0]["rules"]:
        assert set(_METRIC.findall(rule["expr"])) <= names, rule["alert"]
        assert rule["annotations"]["summary"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian: prometheus)")
@pytest.mark.parametrize("command", [("check", "rules", "alerts.yaml"),
                                     ("test", "rules", "alerts_test.yaml")])  # fmt: skip
def test_promtool_accepts_the_alerts_and_their_tests_pass(command):
    done = subprocess.run(
        ["promtool", *command], cwd=OTEL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_collector_receives_what_srd_sends_and_scrapes_where_it_listens():
    document = yaml.safe_load((OTEL / "collector.yaml").read_text())
    for pipeline in document["service"]["pipelines"].values():
        for part in ("receivers", "processors", "exporters"):
            assert set(pipeline[part]) <= set(document[part])
    scrape = document["receivers"]["prometheus"]["config"]["scrape_configs"][0]
    assert scrape["static_configs"][0]["targets"] == ["127.0.0.1:9190"]
