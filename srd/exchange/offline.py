"""One body through the exchange without a gateway: what `classify`, `explain` and the API share.

Why this file exists: an explanation is worth something only if it comes from the code that serves.
This drives the same machine in full duplex, answers its asks at once, and collects what came out.
It must not know tokenizers or threads: `answer` is any function from asks to scores.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from srd.classify.api import Ask, ClassifierUnavailable, Scores
from srd.config import Document
from srd.decide.decision import Decision
from srd.exchange.commands import (
    AskClassifier,
    Command,
    Decided,
    Noted,
    Refuse,
    ReplyChunk,
    ReplyHeaders,
)
from srd.exchange.events import (
    BodyArrived,
    BodyMode,
    Event,
    HeadersArrived,
    Opened,
    PeerEnded,
    ScoresArrived,
    ScoresFailed,
)
from srd.exchange.exchange import Exchange
from srd.exchange.policy import Policy
from srd.plugins.errors import Immediate
from srd.signals import jailbreak, pii
from srd.signals.text import utf8

Answer = Callable[[Ask], Scores]
#: What the classify API and `srd classify` say of input that Python's parser cannot hold.
TOO_DEEP = "not JSON: nested too deeply"
Head = Literal["jailbreak", "pii"]


@dataclass(slots=True)
class Outcome:
    """What one request led to. Exactly one of `decision` and `refused` explains it; both when a
    decision answered the client itself."""

    decision: Decision | None = None
    refused: Immediate | None = None
    body: bytes = b""
    set_headers: tuple[tuple[str, bytes], ...] = ()
    remove_headers: tuple[str, ...] = ()
    asks: list[Ask] = field(default_factory=list)
    notes: list[Noted] = field(default_factory=list)
    body_read_at_decision: int = 0


def run_body(
    policy: Policy,
    body: bytes,
    answer: Answer,
    *,
    path: str = "/v1/chat/completions",
    headers: Mapping[str, str] | None = None,
    chunk_bytes: int = 65536,
) -> Outcome:
    """Send `body` through one exchange. Raises what `answer` raises, but ClassifierUnavailable,
    which is answered as in serving: with the default model."""
    exchange, outcome, out = Exchange(policy), Outcome(), bytearray()
    fields = {
        ":method": "POST",
        ":path": path,
        ":authority": "localhost",
        ":scheme": "http",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **(headers or {}),
    }

    def feed(event: Event) -> None:
        for command in exchange.receive(event, 0.0):
            act(command)

    def act(command: Command) -> None:
        match command:
            case AskClassifier(ask_id, ask):
                outcome.asks.append(ask)
                try:
                    feed(ScoresArrived(ask_id, answer(ask)))
                except ClassifierUnavailable as error:
                    feed(ScoresFailed(ask_id, str(error)))
            case Decided(decision):
                outcome.decision = decision
            case Noted():
                outcome.notes.append(command)
            case Refuse(immediate):
                outcome.refused = immediate
            case ReplyHeaders("request", set_headers, remove_headers):
                outcome.set_headers, outcome.remove_headers = set_headers, remove_headers
            case ReplyChunk("request", data):
                out.extend(data)

    feed(Opened(BodyMode.FULL_DUPLEX_STREAMED, BodyMode.NONE))
    feed(HeadersArrived("request", tuple((k, v.encode()) for k, v in fields.items())))
    starts = range(0, len(body), chunk_bytes) or range(1)
    for start in starts:
        end = start == starts[-1]
        feed(BodyArrived("request", body[start : start + chunk_bytes], end))
    feed(PeerEnded(reset=True))
    outcome.body = bytes(out)
    return outcome


def chat_body(text: str, model: str = "auto") -> bytes:
    """A chat completion request whose one user message is `text`.

    A lone surrogate becomes U+FFFD, which is what is read of its escape in a request, too.
    """
    document = {"model": model, "messages": [{"role": "user", "content": text}]}
    return utf8(json.dumps(document, ensure_ascii=False))


def threshold_of(document: Document, head: Head, own: Mapping[str, float]) -> float:
    """From which score on the document calls a text an attack, or a span personal data.

    The least threshold of its rules of that type, as the least of them is what a request meets
    first; without a rule the model's own (`own`, from its manifest), else the module's.
    """
    catalog, signals = document.global_.model_catalog.modules, document.routing.signals
    module = catalog.classifier.pii.threshold if head == "pii" else catalog.prompt_guard.threshold
    rules: list[float | None] = [rule.threshold for rule in signals.of(pii.ENTRY)]
    if head == "jailbreak":
        rules = [
            rule.threshold for rule in signals.of(jailbreak.ENTRY) if rule.method != "contrastive"
        ]
    return min((rule or module for rule in rules), default=own.get(head, module))
