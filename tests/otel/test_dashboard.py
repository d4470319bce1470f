"""The dashboard and the alerts ask only for what a real scrape has."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

OTEL = Path(__file__).parents[2] / "otel"
NAMES = re.compile(r"\b((?:srd|llm|process)_[a-z0-9_]+)")
promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool (Debian: prometheus)"
)
#: Counted only when something goes wrong, or when a classifier runs; this scrape has neither.
RARE = {
    "srd_fallbacks_total": "srd_fallbacks",
    "srd_refused_total": "srd_refused",
    "srd_classifier_queued": "srd_classifier_",
    "srd_classifier_running": "srd_classifier_",
    "srd_classifier_seconds_bucket": "srd_classifier_seconds",
}


def dashboard():
    return json.loads((OTEL / "dashboard.json").read_text())


def expressions() -> list[str]:
    panels = [t["expr"] for p in dashboard()["panels"] for t in p.get("targets", ())]
    groups = yaml.safe_load((OTEL / "alerts.yaml").read_text())["groups"]
    return panels + [rule["expr"] for group in groups for rule in group["rules"]]


def test_the_dashboard_is_what_its_table_says():
    module = runpy.run_path(str(OTEL / "dashboard.py"))
    assert (OTEL / "dashboard.json").read_text() == module["text"]()


def test_every_variable_is_defined_and_no_datasource_is_fixed():
    text = (OTEL / "dashboard.json").read_text()
    defined = {v["name"] for v in dashboard()["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)\}?", text))
    assert used <= defined | {"__rate_interval"}
    assert set(re.findall(r'"uid": "([^"]*)"', text)) == {"${datasource}", "srd-overview"}


@pytest.mark.envoy
def test_every_expression_names_a_metric_of_a_real_scrape(scrape):
    exist = set(re.findall(r"^([a-z_0-9]+)[{ ]", scrape, re.M))
    families = set(re.findall(r"^# TYPE (\S+)", scrape, re.M))
    missing = {
        name
        for expression in expressions()
        for name in NAMES.findall(expression)
        if name not in exist and name not in families
    }
    assert {name for name in missing if name not in RARE} == set()


@promtool
@pytest.mark.envoy
def test_promtool_takes_a_real_scrape(scrape):
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=scrape, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


@promtool
@pytest.mark.parametrize("words", ["check rules alerts.yaml", "test rules alerts_test.yaml"])
def test_promtool_takes_the_alerts_and_their_tests(words):
    done = subprocess.run(
        ["promtool", *words.split()], cwd=OTEL, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test():
    rules = yaml.safe_load((OTEL / "alerts.yaml").read_text())["groups"][0]["rules"]
    groups = yaml.safe_load((OTEL / "alerts_test.yaml").read_text())["tests"]
    tested = {test["alertname"] for group in groups for test in group["alert_rule_test"]}
    assert {rule["alert"] for rule in rules} <= tested
