from __future__ import annotations

import logging

import pytest

from srd.classify import factory
from srd.classify.api import ModelError
from srd.cli.common import classifier_for
from srd.config import loads

DOCUMENT = """
version: v0.3
routing:
  modelCards: [{{name: m}}]
  signals: {{domains: [{{name: math}}]}}
  decisions:
    - {{name: d, rules: {{type: domain, name: math}}, modelRefs: [{{model: m}}]}}
global: {{model_catalog: {{system: {{{system}}}, modules: {{prompt_guard: {guard}}}}}}}
"""


def document(system="", guard="{}"):
    return loads(DOCUMENT.format(system=system, guard=guard), env={}).document


@pytest.fixture
def opened(monkeypatch):
    """What `open_classifier` was asked for; it opens nothing."""
    asked = {}

    def record(model, **options):
        asked.update(options, model=model)

    monkeypatch.setattr(factory, "open_classifier", record)
    return asked


def test_a_document_that_needs_no_head_opens_nothing(opened):
    assert classifier_for(loads("version: v0.3\nrouting: {}\n", env={}).document) is None
    assert opened == {}


def test_the_operators_own_folder_is_opened_for_its_head(opened, tmp_path):
    (tmp_path / "mine").mkdir()
    classifier_for(document(f"domain_classifier: {tmp_path}/mine"))
    assert opened["upstream"]["domain"].path == tmp_path / "mine"
    assert opened["heads"] == {"domain"}


def test_a_folder_that_upstream_would_download_is_a_warning(opened, caplog):
    name = "models/mmbert32k-intent-classifier-merged"
    with caplog.at_level(logging.WARNING):
        classifier_for(document(f"domain_classifier: {name}"))
    assert opened["upstream"] == {}
    [record] = caplog.records
    assert name in record.getMessage()


def test_any_other_folder_that_is_missing_is_refused(opened):
    with pytest.raises(ModelError, match="models/mine: no such folder"):
        classifier_for(document("domain_classifier: models/mine"))


def test_the_guards_positive_labels_reach_the_shipped_model(opened):
    classifier_for(document(guard="{positive_labels: [benign]}"))
    assert tuple(opened["jailbreak_labels"]) == ("benign",)
