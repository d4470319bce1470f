"""The classify API: what it answers is what the serving path decided."""

from __future__ import annotations

import io
import json
from concurrent.futures import Future

import pytest

from srd.classify.api import PiiSpan, Scores
from srd.cli.classify import _lines, _texts
from srd.exchange.offline import run_body

DOMAINS = """    domains: [{name: law}, {name: math}]
  decisions:
    - name: law_decision
      priority: 5
      rules: {operator: OR, conditions: [{type: domain, name: law}]}
      modelRefs: [{model: base-model, lora_name: law-expert, use_reasoning: false}]
"""


class StubClassifier:
    """Answers by one word of the text; stands where the encoder would."""

    def __init__(self):
        self.closed = False

    def quick(self, ask):
        return None

    def submit(self, ask):
        law = "contract" in ask.text
        at = ask.text.find("me@example.org")
        future = Future()
        future.set_result(
            Scores(
                domain={"law": 0.9 if law else 0.1, "math": 0.1 if law else 0.9},
                jailbreak=0.95 if "ignore" in ask.text else 0.02,
                pii=(PiiSpan(at, at + 14, "EMAIL_ADDRESS", 0.99),) if at >= 0 else (),
                tokens=len(ask.text) // 4,
                window=ask.window,
            )
        )
        return future

    def close(self):
        self.closed = True


@pytest.fixture
def judged(start_daemon, config):
    """A daemon with a domain rule and the stub."""
    text = config.read_text().replace("  decisions:\n", DOMAINS, 1)
    config.write_text(text.replace("loras: [", "loras: [{name: law-expert}, "))
    return lambda: start_daemon(config, open_classifier=lambda document: StubClassifier())


def test_intent_names_category_decision_and_model(run_async, judged):
    async def test():
        async with judged() as running:
            asked = {"text": "Is the contract void?", "options": {"return_probabilities": True}}
            status, said = await running.post("/api/v1/classify/intent", asked)
            assert status == 200
            assert said["classification"]["category"] == "law"
            assert said["classification"]["confidence"] == 0.9
            assert said["probabilities"] == {"law": 0.9, "math": 0.1}
            assert said["routing_decision"] == "law_decision"
            assert said["recommended_model"] == "law-expert"

    run_async(test())


def test_eval_tells_the_decision_of_the_last_user_message(run_async, judged):
    async def test():
        async with judged() as running:
            messages = [
                {"role": "user", "content": "Is the contract void?"},
                {"role": "assistant", "content": "No."},
                {"role": "user", "content": "What is its derivative?"},
            ]
            status, said = await running.post("/api/v1/eval", {"messages": messages})
            assert status == 200
            assert said["selected_model"] == "math-expert"
            assert said["decision_result"]["decision_name"] == "math_decision"
            assert said["matched_signals"]["keyword"] == ["maths"]

    run_async(test())


def test_security_and_pii_apply_their_thresholds(run_async, judged):
    async def test():
        async with judged() as running:
            text = "ignore that, write to me@example.org"
            _, said = await running.post("/api/v1/classify/combined", {"text": text})
            assert said["security"]["is_jailbreak"] is True
            (entity,) = said["pii"]["entities"]
            assert (entity["type"], entity["value"]) == ("EMAIL_ADDRESS", "")
            asked = {"text": text, "options": {"reveal_entity_text": True}}
            _, said = await running.post("/api/v1/classify/pii", asked)
            assert said["entities"][0]["value"] == "me@example.org"
            asked = {"text": text, "options": {"confidence_threshold": 0.999}}
            _, said = await running.post("/api/v1/classify/pii", asked)
            assert said["has_pii"] is False
            _, said = await running.post("/api/v1/classify/security", asked)
            assert said["is_jailbreak"] is False

    run_async(test())


@pytest.mark.parametrize("task", ["intent", "pii", "security"])
def test_a_batch_answers_in_order(run_async, judged, task):
    async def test():
        async with judged() as running:
            texts = ["ignore the contract: me@example.org", "2 + 2"]
            asked = {"texts": texts, "task_type": task}
            status, said = await running.post("/api/v1/classify/batch", asked)
            assert (status, said["total_count"]) == (200, 2)
            key = {"pii": "has_pii", "security": "is_jailbreak"}.get(task)
            if key:
                assert [result[key] for result in said["results"]] == [True, False]
            else:
                found = [result["classification"]["category"] for result in said["results"]]
                assert found == ["law", "math"]

    run_async(test())


@pytest.mark.parametrize("texts", [[], ["x"] * 101], ids=["none", "too many"])
def test_a_batch_of_the_wrong_size_is_refused(run_async, judged, texts):
    async def test():
        async with judged() as running:
            status, said = await running.post("/api/v1/classify/batch", {"texts": texts})
            assert (status, said["error"]["code"]) == (400, "INVALID_INPUT")

    run_async(test())


def test_a_body_of_another_shape_is_refused(run_async, judged):
    async def test():
        async with judged() as running:
            status, said = await running.post("/api/v1/classify/intent", {"text": 7})
            assert (status, said["error"]["code"]) == (400, "INVALID_INPUT")

    run_async(test())


def test_without_a_classifier_what_needs_one_is_503_and_eval_still_answers(
    run_async, start_daemon, config
):
    async def test():
        async with start_daemon(config) as running:
            status, said = await running.post("/api/v1/classify/security", {"text": "x"})
            assert (status, said["error"]["code"]) == (503, "CLASSIFIER_UNAVAILABLE")
            status, said = await running.post("/api/v1/eval", {"text": "the derivative"})
            assert (status, said["selected_model"]) == (200, "math-expert")

    run_async(test())


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("Is the contract void?", b""),
        ("Is the contract void?", BOM),
        ("Is the contract void? \ud800", b""),
        ("\ude00 what is its derivative? \ud83d", b""),
        ("the contract " * 20_000, b""),
        ("contract \ud83d\ude00", b""),
    ],
    ids=["plain", "mark", "half a pair", "halves the wrong way round", "long", "pair"],
)
def test_the_same_text_is_decided_alike_at_all_doors(run_async, judged, text, prefix):
    async def test():
        async with judged() as running:
            service = running.daemon.service
            document = {"model": "auto", "messages": [{"role": "user", "content": text}]}
            served = run_body(
                service.policy,
                json.dumps(document).encode(),
                lambda ask: service.classifier.submit(ask).result(),
            ).decision
            for asked in ({"text": text}, document):
                body = prefix + json.dumps(asked).encode()
                status, said = await running.post("/api/v1/eval", body)
                assert status == 200
                assert said["decision_result"]["decision_name"] == (served.name or "")
                assert said["selected_model"] == served.model
            row = io.TextIOWrapper(
                io.BytesIO(prefix + json.dumps({"text": text}).encode()), encoding="utf-8-sig"
            )
            (line,) = _lines(service.policy, service.classifier, _texts(row))
            assert (line["decision"], line["model"]) == (served.name, served.model)

    run_async(test())


DEEP = b'{"text": "x", "z": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"


@pytest.mark.parametrize(
    ("body", "error"),
    [(DEEP, "nested too deeply"), (b"{", "not JSON"), (b'{"text": "\xed\xa0\x80"}', "not JSON")],
    ids=["20,000 levels", "cut", "no UTF-8"],
)
def test_what_cannot_be_read_is_the_same_error(run_async, judged, body, error):
    async def test():
        async with judged() as running:
            status, said = await running.post("/api/v1/classify/intent", body)
            assert (status, said["error"]["code"]) == (400, "INVALID_INPUT")
            assert error in said["error"]["message"]

    run_async(test())
    if error == "nested too deeply":
        assert error in next(_texts([body.decode()]))


PII_RULES = """    pii:
      - {name: strict, threshold: 0.4}
      - {name: lax}
    jailbreak:
      - {name: sure, threshold: 0.99}
"""


def test_the_rules_thresholds_say_what_is_found(run_async, judged, config):
    async def test():
        asked = {"text": "ignore that, mail me@example.org"}
        async with judged() as running:
            _, said = await running.post("/api/v1/classify/security", asked)
            assert said["is_jailbreak"] is True
        before = "    domains: [{name: law}"
        config.write_text(config.read_text().replace(before, PII_RULES + before, 1))
        async with judged() as running:
            _, said = await running.post("/api/v1/classify/security", asked)
            assert said["is_jailbreak"] is False
            asked["options"] = {"confidence_threshold": 0.5}
            _, said = await running.post("/api/v1/classify/security", asked)
            assert said["is_jailbreak"] is True

    run_async(test())
