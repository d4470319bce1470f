"""Transcripts of one ExtProc exchange: `>>` what the gateway sends, `<<` what srd must answer.

    play = Playbook(policy, "envoy")
    play >> headers() << nothing
    play >> body(b'{"mod') << nothing
    play >> body(b'el":"auto",...}', end=True) << header_reply(model="math-expert")
    play << chunks(b'{"model":"math-expert",...}', end=True)
    play.done()

Everything passes through the wire's bytes in the dialect of the gateway, and through a model of
that gateway which fails the test on whatever the real one would punish: a
body before the header reply, a second header reply, an answer that is not a streamed
response in full duplex, a piece over 62,000 bytes, a second end of stream, an end of stream where
trailers came, anything after an immediate response.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from srd.classify.api import Ask, Scores
from srd.config import loads
from srd.daemon.translate import encode, event_of, opening
from srd.exchange import Exchange, Policy
from srd.exchange.commands import (
    AskClassifier,
    Command,
    Decided,
    DropAsk,
    Noted,
    Observed,
    StartTimer,
)
from srd.exchange.events import (
    BodyMode,
    Event,
    PeerEnded,
    Pressure,
    RoomMade,
    ScoresArrived,
    ScoresFailed,
    Timer,
    TimerFired,
)
from srd.exchange.policy import build_policy
from srd.wire.codec import decode_request
from srd.wire.messages import Phase, ProtocolConfig
from srd.wire.peer import Dialect, Reply, decode_response, encode_request

LABELS = (
    "biology", "business", "chemistry", "computer science", "economics", "engineering", "health",
    "history", "law", "math", "other", "philosophy", "physics", "psychology",
)  # fmt: skip

CONFIG = """
version: v0.3
providers:
  defaults:
    default_model: base-model
    default_reasoning_effort: high
    reasoning_families:
      qwen3: {type: chat_template_kwargs, parameter: enable_thinking}
  models:
    - name: base-model
      reasoning_family: qwen3
      backend_refs: [{name: local, endpoint: "127.0.0.1:8000"}]
routing:
  modelCards:
    - name: base-model
      loras: [{name: math-expert}, {name: law-expert}, {name: general-expert}]
  signals:
    keywords:
      - {name: thinking, operator: OR, keywords: [urgent, think]}
    domains: [{name: math}, {name: law}, {name: other}]
  decisions:
    - name: thinking_decision
      priority: 20
      rules: {operator: OR, conditions: [{type: keyword, name: thinking}]}
      modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]
    - name: math_decision
      priority: 10
      rules: {operator: OR, conditions: [{type: domain, name: math}]}
      modelRefs: [{model: base-model, lora_name: math-expert, use_reasoning: true}]
    - name: law_decision
      priority: 10
      rules: {operator: OR, conditions: [{type: domain, name: law}]}
      modelRefs: [{model: base-model, lora_name: law-expert, use_reasoning: false}]
global:
  router:
    streamed_body:
      early_decision: {budget_bytes: 2000, max_held_bytes: 20000}
"""

#: The same with nothing edited but the model's name, for transcripts that show whole bodies.
PLAIN = re.sub(r"\n      reasoning_family: qwen3", "", CONFIG).replace(
    "    default_reasoning_effort: high\n    reasoning_families:\n"
    "      qwen3: {type: chat_template_kwargs, parameter: enable_thinking}\n",
    "",
)


def policy_of(text: str = PLAIN, **edits: str) -> Policy:
    """A compiled policy; `edits` replace text first."""
    for old, new in edits.items():
        text = text.replace(old, new)
    return build_policy(loads(text).document, None)


def label_scores(label: str, confidence: float = 0.97, ask: Ask | None = None) -> Scores:
    rest = (1 - confidence) / (len(LABELS) - 1)
    domain = {known: confidence if known == label else rest for known in LABELS}
    return Scores(
        domain=domain,
        turns=tuple(domain for _ in ask.turns) if ask else (),
        tokens=min(ask.window, len(ask.text) // 4) if ask else 0,
        window=ask.window if ask else 0,
    )


Scorer = Callable[[Ask], Scores]


def by_words(ask: Ask) -> Scores:
    """A deterministic stand-in for the encoder: the first telling word decides."""
    turns = tuple(_by_word(text, ask).domain or {} for text in ask.turns)
    return replace(_by_word(ask.text, ask), turns=turns)


def _by_word(text: str, ask: Ask) -> Scores:
    for word, label in (("derivative", "math"), ("contract", "law")):
        if word in text:
            return label_scores(label, 0.97, ask)
    return label_scores("other", 0.6, ask)


# -- what the gateway sends --------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """One message of the gateway, or another event."""

    phase: Phase = Phase.NONE
    headers: tuple[tuple[str, bytes], ...] = ()
    data: bytes = b""
    end: bool = False
    event: Event | None = None


def headers(
    path: str = "/v1/chat/completions",
    method: str = "POST",
    *,
    end: bool = False,
    extra: Mapping[str, str | bytes] | None = None,
    content_type: str | None = "application/json",
) -> Sent:
    fields: dict[str, str | bytes] = {
        ":method": method,
        ":scheme": "http",
        ":authority": "example",
        ":path": path,
        "x-request-id": "r-1",
    }
    if content_type is not None:
        fields["content-type"] = content_type
    fields |= extra or {}
    return Sent(Phase.REQUEST_HEADERS, _bytes(fields), end=end)


def _bytes(fields: Mapping[str, str | bytes]) -> tuple[tuple[str, bytes], ...]:
    return tuple((k, v if isinstance(v, bytes) else v.encode()) for k, v in fields.items())


def body(data: bytes = b"", *, end: bool = False) -> Sent:
    return Sent(Phase.REQUEST_BODY, data=data, end=end)


def trailers() -> Sent:
    return Sent(Phase.REQUEST_TRAILERS, (("x-checksum", b"1"),))


def response_headers(
    status: int = 200, content_type: str = "application/json", *, end: bool = False
) -> Sent:
    fields = {":status": str(status), "content-type": content_type}
    return Sent(Phase.RESPONSE_HEADERS, _bytes(fields), end=end)


def response_body(data: bytes = b"", *, end: bool = False) -> Sent:
    return Sent(Phase.RESPONSE_BODY, data=data, end=end)


def response_trailers() -> Sent:
    return Sent(Phase.RESPONSE_TRAILERS, (("grpc-status", b"0"),))


def scores(label: str, confidence: float = 0.97) -> Sent:
    """The classifier's answer to the question that is out."""
    return Sent(event=ScoresArrived(-1, label_scores(label, confidence)))


def no_scores(reason: str = "classifier_error") -> Sent:
    return Sent(event=ScoresFailed(-1, reason))


def timer(which: Timer) -> Sent:
    return Sent(event=TimerFired(which))


def pressure() -> Sent:
    return Sent(event=Pressure())


def half_close() -> Sent:
    return Sent(event=PeerEnded())


def reset() -> Sent:
    return Sent(event=PeerEnded(reset=True))


# -- what srd must answer ----------------------------------------------------------------------


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


nothing = _Nothing()


@dataclass(frozen=True)
class Expect:
    """One expected reply: fields that are None are not looked at."""

    kind: str
    set: Mapping[str, bytes] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    data: bytes | None = None
    unchanged: bool | None = None
    end: bool | None = None
    status: int | None = None
    override: tuple[int, ...] | None = None
    joined: bool = False

    def check(self, reply: Reply) -> None:
        got = dict(reply.set_headers)
        assert reply.kind == self.kind, f"expected {self.kind}, got {reply}"
        for key, value in self.set.items():
            assert got.get(key) == value, f"{key}: {got.get(key)!r} instead of {value!r}"
        for key in self.absent:
            assert key not in got, f"{key} must not be set"
        for key in self.removed:
            assert key in reply.remove_headers, f"{key} must be removed: {reply.remove_headers}"
        if self.data is not None:
            assert reply.body == self.data
        if self.unchanged is not None:
            assert (reply.body is None) == self.unchanged
        if self.end is not None:
            assert reply.end_of_stream == self.end
        if self.status is not None:
            assert reply.status == self.status, reply.body
        if self.override is not None:
            assert reply.mode_override == self.override


def header_reply(model: str | None = None, **more: object) -> Expect:
    """The answer to request headers; `model`: what x-selected-model must say."""
    wanted = dict(more.pop("set", {}))  # type: ignore[call-overload]
    if model is not None:
        wanted["x-selected-model"] = model.encode()
    return Expect("request_headers", wanted, **more)  # type: ignore[arg-type]


def untouched_headers(**more: object) -> Expect:
    return Expect("request_headers", absent=("x-selected-model",), **more)  # type: ignore[arg-type]


def chunks(data: bytes, *, end: bool = False) -> Expect:
    """Streamed pieces that together are `data`, however they are cut."""
    return Expect("request_body", data=data, end=end, joined=True)


def whole(data: bytes | None = None, **more: object) -> Expect:
    """The one answer of BUFFERED and its like; data None: nothing is changed."""
    return Expect("request_body", data=data, unchanged=data is None, **more)  # type: ignore[arg-type]


def trailer_reply() -> Expect:
    return Expect("request_trailers")


def refused(status: int) -> Expect:
    return Expect("immediate", status=status)


def response_reply(**more: object) -> Expect:
    return Expect("response_headers", **more)  # type: ignore[arg-type]


def response_chunks(data: bytes, *, end: bool = False) -> Expect:
    return Expect("response_body", data=data, end=end, joined=True)


def response_unchanged() -> Expect:
    return Expect("response_body", unchanged=True)


def response_trailer_reply() -> Expect:
    return Expect("response_trailers")


def _short(replies: list[Reply]) -> str:
    return "; ".join(
        f"{r.kind} {r.status or ''} {(r.body or b'')[:60]!r} set={dict(r.set_headers)}"
        for r in replies[:3]
    )


# -- the gateway's model -----------------------------------------------------------------------


class Gateway:
    """What a gateway makes of the replies; an AssertionError is what it would punish."""

    def __init__(self, dialect: Dialect, mode: BodyMode, *, headers_sent: bool) -> None:
        self.dialect = dialect
        self.mode = mode
        self.headers_sent = headers_sent
        self.header_replies = 0
        self.refused: Reply | None = None
        self.upstream = bytearray()
        self.ended = False
        self.trailers_sent = False
        self.owed = 0
        self.request_headers: dict[str, bytes] = {}

    def take(self, reply: Reply) -> None:
        assert self.refused is None, f"answer after the immediate response: {reply}"
        for name, value in reply.set_headers:
            assert name == name.lower()
            assert value, f"{name}: an empty value cannot be set"
            assert not name.startswith((":", "x-envoy-"))
            assert name not in ("host", "transfer-encoding")
        if self.dialect == "envoy":
            assert len(reply.set_headers) + len(reply.remove_headers) <= 100
        if reply.kind == "immediate":
            self._refuse(reply)
        elif reply.kind == "request_headers":
            self._headers(reply)
        elif reply.kind == "request_body":
            self._body(reply)
        elif reply.kind == "request_trailers":
            assert self.trailers_sent, "trailers answered that never came"
            assert not self.ended, "a second end of the body"
            self.ended = True
        assert not reply.dynamic_metadata or reply.kind == "request_headers"

    def _refuse(self, reply: Reply) -> None:
        assert 200 <= reply.status < 600
        reply.body.decode("utf-8")  # type: ignore[union-attr]
        if self.mode is BodyMode.FULL_DUPLEX_STREAMED:
            assert not self.header_replies, "refused after the header reply"
        self.refused = reply

    def _headers(self, reply: Reply) -> None:
        assert self.headers_sent, "headers answered that never came"
        assert not self.header_replies, "a second header reply"
        self.header_replies += 1
        for name in reply.remove_headers:
            self.request_headers.pop(name, None)
        self.request_headers |= dict(reply.set_headers)

    def _body(self, reply: Reply) -> None:
        assert not self.headers_sent or self.header_replies, "a body before the header reply"
        assert not self.ended, "body after the end"
        duplex = self.mode is BodyMode.FULL_DUPLEX_STREAMED
        assert reply.streamed == duplex, f"{self.mode.name} answered by {reply}"
        if duplex:
            assert len(reply.body or b"") <= 62_000
            assert not (reply.end_of_stream and self.trailers_sent), "EOS where trailers came"
            self.upstream += reply.body or b""
            self.ended = reply.end_of_stream
            return
        assert self.owed > 0, "more answers than messages"
        self.owed -= 1


@dataclass
class Made:
    """What came out besides replies."""

    decided: list[Decided] = field(default_factory=list)
    observed: list[Observed] = field(default_factory=list)
    notes: list[Noted] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    timers: dict[Timer, float] = field(default_factory=dict)


class Playbook:
    """One exchange between a gateway's model and srd."""

    def __init__(
        self,
        policy: Policy,
        dialect: Dialect = "envoy",
        *,
        mode: BodyMode | int | None = BodyMode.FULL_DUPLEX_STREAMED,
        response_mode: BodyMode | int = BodyMode.NONE,
        scorer: Scorer | None = by_words,
        skip_headers: bool = False,
        observability: bool = False,
    ) -> None:
        self.exchange = Exchange(policy)
        known = BodyMode.UNKNOWN if mode is None else BodyMode(min(int(mode), 4))
        self.gateway = Gateway(dialect, known, headers_sent=not skip_headers)
        self.made = Made()
        self.now = 1000.0
        self.most_held = 0
        self._config = None if mode is None else ProtocolConfig(int(mode), int(response_mode))
        self._observability = observability
        self._scorer = scorer
        self._ask_id = 0
        self._unread: list[Reply] = []
        self._first = True

    @property
    def decision(self) -> Decided:
        return self.made.decided[-1]

    def __rshift__(self, sent: Sent) -> Playbook:
        assert not self._unread, f"unexpected: {_short(self._unread)}"
        if sent.event is not None:
            event = sent.event
            if isinstance(event, ScoresArrived | ScoresFailed):
                event = replace(event, ask_id=self._ask_id)
            self._feed(event)
            return self
        gateway = self.gateway
        if sent.phase is Phase.REQUEST_BODY:
            gateway.owed += 1
        if sent.phase is Phase.REQUEST_TRAILERS:
            gateway.trailers_sent = True
        if sent.phase is Phase.REQUEST_HEADERS:
            gateway.request_headers = dict(sent.headers)
        config = self._config if self._first else None
        request = decode_request(
            encode_request(
                sent.phase,
                headers=sent.headers,
                body=sent.data,
                end_of_stream=sent.end,
                protocol_config=config,
                observability_mode=self._observability,
                dialect=gateway.dialect,
            )
        )
        if self._first:
            self._first = False
            self._feed(opening(request))
        event = event_of(request)
        if event is not None:
            self._feed(event)
        return self

    def __lshift__(self, expected: Expect | _Nothing | list[Expect]) -> Playbook:
        if isinstance(expected, _Nothing):
            assert not self._unread, f"expected nothing, got {_short(self._unread)}"
            return self
        if isinstance(expected, list):
            for one in expected:
                self << one
            return self
        assert self._unread, f"expected {expected}, got nothing"
        expected.check(self._join(expected) if expected.joined else self._unread.pop(0))
        return self

    def take(self) -> list[Reply]:
        """The replies that nobody expected yet, for assertions of one's own."""
        replies, self._unread = self._unread, []
        return replies

    def done(self, upstream: bytes | None = None) -> Playbook:
        """The gateway half-closes; whatever was promised must have been kept."""
        assert not self._unread, f"unexpected: {_short(self._unread)}"
        self._feed(PeerEnded())
        self._feed(PeerEnded(reset=True))
        assert not self._unread
        assert self.exchange.held == 0
        if upstream is not None:
            assert bytes(self.gateway.upstream) == upstream
        return self

    def _join(self, expected: Expect) -> Reply:
        first = self._unread.pop(0)
        while (
            self._unread
            and self._unread[0].kind == first.kind == expected.kind
            and len(first.body or b"") <= len(expected.data or b"")
        ):
            more = self._unread.pop(0)
            first = replace(
                more, body=(first.body or b"") + (more.body or b""), set_headers=first.set_headers
            )
        return first

    def _feed(self, event: Event) -> None:
        self.now += 0.001
        for command in self.exchange.receive(event, self.now):
            self._act(command)
        self.most_held = max(self.most_held, self.exchange.held)
        if self.exchange.more:
            self._feed(RoomMade())

    def _act(self, command: Command) -> None:
        match command:
            case Decided():
                self.made.decided.append(command)
            case Observed():
                self.made.observed.append(command)
            case Noted():
                self.made.notes.append(command)
            case StartTimer(which, seconds):
                self.made.timers[which] = seconds
            case AskClassifier(ask_id, ask):
                self._ask_id = ask_id
                self.made.asks.append(ask)
                if self._scorer is not None:
                    self._feed(ScoresArrived(ask_id, self._scorer(ask)))
            case DropAsk():
                self.made.asks.append(Ask(text="dropped", heads=frozenset(), window=0))
            case _:
                message = encode(command)
                if message is not None:
                    reply = decode_response(message)
                    self.gateway.take(reply)
                    self._unread.append(reply)


DIALECTS: tuple[Literal["envoy", "agentgateway"], ...] = ("envoy", "agentgateway")
