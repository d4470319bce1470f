"""`/api/v1/classify/...` and `/api/v1/eval`: upstream's management API on the path that serves.

Why this file exists: dashboards and scripts of the vLLM Semantic Router ask these routes. Answers
come from the same exchange and classifier as real requests, on a worker thread. It must not know
HTTP framing.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec

from srd.backend.http import Response
from srd.classify.api import Ask, Classifier, ClassifierUnavailable, Scores
from srd.daemon.admin import Call, Route, error_response, json_response
from srd.exchange.offline import TOO_DEEP, Head, Outcome, chat_body, run_body, threshold_of
from srd.signals.text import utf8

if TYPE_CHECKING:
    from srd.daemon.app import Daemon

MAX_TEXTS = 100
_WINDOW = 512


class Message(msgspec.Struct):
    """A chat message of the request."""

    role: str
    content: str | list[dict[str, object]] | None = ""

    def text(self) -> str:
        """Its text parts as a request's are read."""
        if isinstance(self.content, str):
            return self.content
        parts = [part for part in self.content or () if part.get("type", "text") == "text"]
        return " ".join(text for part in parts if isinstance(text := part.get("text"), str))


class Options(msgspec.Struct):
    """Upstream's options that change an answer here; others are accepted and ignored."""

    return_probabilities: bool = False
    confidence_threshold: float | None = None
    reveal_entity_text: bool = False


class ClassifyInput(msgspec.Struct):
    """Body of the classify routes: `text`, or `messages` as of a chat completion."""

    text: str = ""
    messages: list[Message] = []
    model: str = "auto"
    options: Options = msgspec.field(default_factory=Options)


class BatchInput(msgspec.Struct):
    """Body of the batch route."""

    texts: list[str]
    task_type: str = "intent"
    options: Options = msgspec.field(default_factory=Options)


class ClassifyApi:
    """The routes of one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def routes(self) -> Mapping[str, Route]:
        """What is added to the admin table."""
        return {
            "POST /api/v1/classify/intent": self._intent,
            "POST /api/v1/classify/security": self._security,
            "POST /api/v1/classify/pii": self._pii,
            "POST /api/v1/classify/combined": self._combined,
            "POST /api/v1/classify/batch": self._batch,
            "POST /api/v1/eval": self._eval,
        }

    # -- routes ----------------------------------------------------------------------------------

    async def _intent(self, call: Call) -> Response:
        asked = _read(call.body, ClassifyInput)
        return await self._answer(lambda: self._intent_of(asked))

    async def _security(self, call: Call) -> Response:
        asked = _read(call.body, ClassifyInput)
        return await self._answer(lambda: self._security_of(_text(asked), asked.options))

    async def _pii(self, call: Call) -> Response:
        asked = _read(call.body, ClassifyInput)
        return await self._answer(lambda: self._pii_of(_text(asked), asked.options))

    async def _combined(self, call: Call) -> Response:
        asked = _read(call.body, ClassifyInput)
        text = _text(asked)
        return await self._answer(
            lambda: {
                "intent": self._intent_of(asked),
                "pii": self._pii_of(text, asked.options),
                "security": self._security_of(text, asked.options),
            }
        )

    async def _batch(self, call: Call) -> Response:
        asked = _read(call.body, BatchInput)
        if not asked.texts or len(asked.texts) > MAX_TEXTS:
            return error_response(400, "INVALID_INPUT", f"give 1 to {MAX_TEXTS} texts")
        return await self._answer(lambda: self._batch_of(asked))

    async def _eval(self, call: Call) -> Response:
        asked = _read(call.body, ClassifyInput)
        return await self._answer(lambda: self._eval_of(asked))

    async def _answer(self, work: Callable[[], object]) -> Response:
        if self._daemon.service is None:
            return error_response(503, "STARTING", "not serving yet")
        try:
            result = await asyncio.get_running_loop().run_in_executor(None, work)
        except ClassifierUnavailable as error:
            return error_response(503, "CLASSIFIER_UNAVAILABLE", str(error))
        return json_response(result)

    # -- work, on a worker thread ----------------------------------------------------------------

    def _classifier(self) -> Classifier:
        service = self._daemon.service
        if service is None or service.classifier is None:
            raise ClassifierUnavailable("the configuration needs no classifier: none is loaded")
        return service.classifier

    def _threshold(self, head: Head, options: Options) -> float:
        """The asker's, else what the serving document says."""
        if options.confidence_threshold is not None:
            return options.confidence_threshold
        classifier, service = self._classifier(), self._daemon.service
        own: Mapping[str, float] = getattr(classifier, "thresholds", {})
        if service is None:
            raise ClassifierUnavailable("not serving any more")
        return threshold_of(service.policy.document, head, own)

    def _scores(self, ask: Ask) -> Scores:
        classifier = self._classifier()
        quick = classifier.quick(ask)
        return classifier.submit(ask).result(timeout=30) if quick is None else quick

    def _run(self, asked: ClassifyInput) -> Outcome:
        assert self._daemon.service is not None
        if asked.messages:
            document = {"model": asked.model, "messages": asked.messages}
            body = msgspec.json.encode(document)
        else:
            body = chat_body(asked.text, asked.model)
        return run_body(self._daemon.service.policy, body, self._scores)

    def _intent_of(self, asked: ClassifyInput) -> dict[str, object]:
        began = time.perf_counter()
        outcome = self._run(asked)
        scores = self._scores(Ask(text=_text(asked), heads=frozenset({"domain"}), window=_WINDOW))
        labels = scores.domain or {}
        label = max(labels, key=lambda name: labels[name]) if labels else ""
        decision = outcome.decision
        return {
            "classification": {
                "category": label,
                "confidence": labels.get(label, 0.0),
                "processing_time_ms": _milliseconds(began),
            },
            **({"probabilities": dict(labels)} if asked.options.return_probabilities else {}),
            "recommended_model": decision.model if decision else "",
            "routing_decision": (decision.name or "") if decision else "",
            **_signals(outcome),
        }

    def _security_of(self, text: str, options: Options) -> dict[str, object]:
        began = time.perf_counter()
        scores = self._scores(Ask(text=text, heads=frozenset({"jailbreak"}), window=_WINDOW))
        risk = scores.jailbreak or 0.0
        threshold = self._threshold("jailbreak", options)
        found = risk >= threshold
        return {
            "is_jailbreak": found,
            "risk_score": risk,
            "detection_types": ["jailbreak"] if found else [],
            "confidence": risk if found else 1 - risk,
            "recommendation": "block" if found else "allow",
            "processing_time_ms": _milliseconds(began),
        }

    def _pii_of(self, text: str, options: Options) -> dict[str, object]:
        began = time.perf_counter()
        scores = self._scores(Ask(text=text, heads=frozenset({"pii"}), window=_WINDOW))
        threshold = self._threshold("pii", options)
        spans = [span for span in scores.pii or () if span.confidence >= threshold]
        return {
            "has_pii": bool(spans),
            "entities": [
                {
                    "type": span.label,
                    "value": text[span.start : span.end] if options.reveal_entity_text else "",
                    "confidence": span.confidence,
                    "start_position": span.start,
                    "end_position": span.end,
                }
                for span in spans
            ],
            "security_recommendation": "review" if spans else "allow",
            "processing_time_ms": _milliseconds(began),
        }

    def _batch_of(self, asked: BatchInput) -> dict[str, object]:
        began = time.perf_counter()
        results: list[dict[str, object]] = []
        for text in asked.texts:
            if asked.task_type == "pii":
                results.append(self._pii_of(text, asked.options))
            elif asked.task_type == "security":
                results.append(self._security_of(text, asked.options))
            else:
                results.append(self._intent_of(ClassifyInput(text=text, options=asked.options)))
        return {
            "results": results,
            "total_count": len(results),
            "processing_time_ms": _milliseconds(began),
        }

    def _eval_of(self, asked: ClassifyInput) -> dict[str, object]:
        outcome = self._run(asked)
        decision = outcome.decision
        return {
            "original_text": _text(asked),
            "requested_model": asked.model,
            "selected_model": decision.model if decision else "",
            "decision_result": {
                "decision_name": (decision.name or "") if decision else "",
                "algorithm": decision.algorithm if decision else "",
                "confidence": decision.confidence if decision else 0.0,
                "basis": str(decision.basis) if decision else "",
            },
            "signal_confidences": {
                f"{fact.type}:{fact.name}": fact.confidence
                for fact in (decision.signals if decision else ())
                if fact.value == "true"
            },
            **_signals(outcome),
        }


_Input = TypeVar("_Input", ClassifyInput, BatchInput)


def _read(body: bytes, shape: type[_Input]) -> _Input:
    """The input, as lenient as requests and `srd classify` are: a byte order mark is skipped, half
    a surrogate pair is U+FFFD.

    :raises msgspec.DecodeError: if it is no JSON, or nested too deeply for Python's parser.
    :raises msgspec.ValidationError: if it is not of that shape.
    """
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except RecursionError:
        raise msgspec.DecodeError(TOO_DEEP) from None
    except ValueError as bad:
        raise msgspec.DecodeError(f"not JSON: {bad}") from None
    try:
        return msgspec.convert(_paired(document), shape)
    except RecursionError:
        raise msgspec.DecodeError(TOO_DEEP) from None


def _paired(value: object) -> object:
    if isinstance(value, str):
        return utf8(value).decode()
    if isinstance(value, list):
        return [_paired(element) for element in value]
    if isinstance(value, dict):
        return {_paired(name): _paired(element) for name, element in value.items()}
    return value


def _text(asked: ClassifyInput) -> str:
    if asked.text or not asked.messages:
        return asked.text
    users = [message.text() for message in asked.messages if message.role == "user"]
    return users[-1] if users else ""


def _signals(outcome: Outcome) -> dict[str, object]:
    matched: dict[str, list[str]] = {}
    for fact in outcome.decision.signals if outcome.decision else ():
        if fact.value == "true" and fact.name not in matched.get(fact.type, ()):
            matched.setdefault(fact.type, []).append(fact.name)
    return {"matched_signals": matched}


def _milliseconds(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 3)
