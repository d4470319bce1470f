from __future__ import annotations

import json

import pytest

from srd.config import loads
from srd.exchange.offline import chat_body, threshold_of


def document(signals: str):
    return loads(f"""
version: v0.3
providers: {{defaults: {{default_model: m}}}}
routing:
  modelCards: [{{name: m}}]
  signals: {{{signals}}}
""").document


def test_half_a_surrogate_pair_is_what_is_read_of_its_escape():
    assert json.loads(chat_body("a\ud800b"))["messages"][0]["content"] == "a\ufffdb"


@pytest.mark.parametrize(
    ("head", "signals", "own", "threshold"),
    [
        ("pii", "", {}, 0.9),
        ("pii", "", {"pii": 0.5}, 0.5),
        ("pii", "pii: [{name: a, threshold: 0.4}, {name: b}]", {"pii": 0.5}, 0.4),
        ("pii", "pii: [{name: a}]", {"pii": 0.5}, 0.9),
        ("jailbreak", "", {}, 0.7),
        ("jailbreak", "jailbreak: [{name: a, threshold: 0.5}]", {"jailbreak": 0.6}, 0.5),
        ("jailbreak", "jailbreak: [{name: a, threshold: 0.1, method: contrastive}]", {}, 0.7),
    ],
)
def test_the_least_threshold_of_the_rules_counts(head, signals, own, threshold):
    assert threshold_of(document(signals), head, own) == threshold
