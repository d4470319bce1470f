"""Each category of the embedded configuration, through a real Envoy, to the model that it names.

The expected model is read from the configuration. The questions were picked so that the shipped
classifier is sure of them: this tests the path, how often it is sure is the model card's matter.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.envoy

QUESTIONS = {
    "biology": "How do ribosomes translate messenger RNA into a protein inside the cell?",
    "business": "How should a company segment its customers for a new marketing campaign?",
    "chemistry": "What is the pH of a buffer made of acetic acid and sodium acetate?",
    "computer science": "Implement a hash table with open addressing and give its complexity.",
    "economics": "How does a rise in the money supply affect inflation and unemployment?",
    "engineering": "Design a low-pass filter circuit with a cutoff frequency of 1 kHz.",
    "health": "What are the symptoms of type 2 diabetes, and how is it treated?",
    "history": "What caused the outbreak of the First World War in 1914?",
    "law": "Is a contract enforceable when one party was a minor at the time of signing?",
    "math": "Find all eigenvalues of the matrix [[2, 1], [1, 2]].",
    "other": "Suggest a name for my cat.",
    "philosophy": "How does Kant's categorical imperative differ from utilitarian ethics?",
    "physics": "A ball is thrown upward at 20 m/s. How high does it rise under gravity?",
    "psychology": "What does attachment theory say about infants and their caregivers?",
}
DOCUMENT = yaml.safe_load((resources.files("srd.config") / "default.yaml").read_text())
DECISIONS = DOCUMENT["routing"]["decisions"]


def decision_for(kind: str, name: str) -> dict[str, Any]:
    condition = {"type": kind, "name": name}
    (found,) = (d for d in DECISIONS if condition in d["rules"]["conditions"])
    return found


def test_every_category_of_the_configuration_is_asked() -> None:
    domains = {domain["name"] for domain in DOCUMENT["routing"]["signals"]["domains"]}
    assert set(QUESTIONS) == domains


@pytest.mark.parametrize("listener", ["buffered", "duplex"])
@pytest.mark.parametrize("category", QUESTIONS)
def test_a_textbook_question_reaches_the_model_of_its_category(
    gateway, backend, connect, category: str, listener: str
) -> None:
    document = {"model": "auto", "messages": [{"role": "user", "content": QUESTIONS[category]}]}
    answer = connect(gateway, listener).chat(document)
    decision = decision_for("domain", category)
    (reference,) = decision["modelRefs"]
    received = backend.last.json()
    assert answer.headers["x-vsr-selected-category"] == category
    assert answer.headers["x-vsr-selected-decision"] == decision["name"]
    assert received["model"] == reference["lora_name"]
    thinking = received.get("chat_template_kwargs", {}).get("enable_thinking", False)
    assert thinking is reference["use_reasoning"]


@pytest.mark.parametrize("listener", ["buffered", "duplex"])
def test_the_keyword_that_asks_for_care_outranks_the_category(
    gateway, backend, connect, listener: str
) -> None:
    content = f"Think first. {QUESTIONS['law']}"
    document = {"model": "auto", "messages": [{"role": "user", "content": content}]}
    answer = connect(gateway, listener).chat(document)
    (reference,) = decision_for("keyword", "thinking")["modelRefs"]
    assert answer.headers["x-vsr-selected-decision"] == "thinking_decision"
    assert backend.last.json()["model"] == reference["lora_name"]
