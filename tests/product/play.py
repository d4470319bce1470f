"""Plays one case through the wire's bytes and the pure machine, and says what happened.

Why this file exists: it is the only part of the suite that touches srd, and only through what every
driver uses: `srd.daemon.translate`, `Exchange.receive` and its commands. It must not know what is
right.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from product.gateway import Gateway
from product.settings import WORDS

from srd.classify.api import Ask, Scores
from srd.daemon.translate import encode, event_of, opening
from srd.exchange import Exchange, Policy
from srd.exchange import events as ev
from srd.exchange.commands import AskClassifier, Command, Decided, DropAsk, StartTimer, StopTimers
from srd.exchange.events import BodyMode, Event, PeerEnded, Timer, TimerFired
from srd.wire.codec import decode_request
from srd.wire.messages import Phase, ProtocolConfig
from srd.wire.peer import Dialect, decode_response, encode_request

MODES = {
    "duplex": BodyMode.FULL_DUPLEX_STREAMED,
    "streamed": BodyMode.STREAMED,
    "buffered": BodyMode.BUFFERED,
    "partial": BodyMode.BUFFERED_PARTIAL,
    "prefix": BodyMode.BUFFERED_PARTIAL,
}
_LABELS = (
    "biology", "business", "chemistry", "computer science", "economics", "engineering", "health",
    "history", "law", "math", "other", "philosophy", "physics", "psychology",
)  # fmt: skip
#: A machine that wants more rounds than this for one message never ends.
_ROUNDS = 100_000


class Hang(Exception):  # noqa: N818 - what happened, not what went wrong with the test
    """The machine asks for one more round for ever."""


def score(ask: Ask) -> Scores:
    """A stand-in for the encoder that reads the whole of what it is asked."""
    return Scores(
        domain=_domain(ask.text),
        turns=tuple(map(_domain, ask.turns)),
        tokens=min(ask.window, len(ask.text) // 4),
        window=ask.window,
    )


def _domain(text: str) -> dict[str, float]:
    found = [(text.find(word), label) for word, label in WORDS.items() if word in text]
    label = min(found)[1] if found else "other"
    confidence = 0.97 if found else 0.6
    rest = (1 - confidence) / (len(_LABELS) - 1)
    return {known: confidence if known == label else rest for known in _LABELS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one client sends, and what happens meanwhile.

    `rest`: bytes behind the prefix, which pass the gateway by themselves (prefix mode).
    `answers`: "score", "fail" or "silent", the classifier's way; `lag`: it answers only after so
    many more body messages. `events`: (index of the piece behind which, event), e.g. a timer, which
    fires only if it was started.
    """

    mode: str
    dialect: Dialect
    path: str
    headers: tuple[tuple[str, bytes], ...]
    pieces: Sequence[bytes]
    trailers: str = "none"
    rest: bytes = b""
    answers: str = "score"
    lag: int = 0
    events: tuple[tuple[int, Event], ...] = ()
    scorer: Callable[[Ask], Scores] = score
    own_end: bool = False  # the end comes in an empty message of its own
    leaves_behind: int | None = None  # the client is gone behind this piece


@dataclass
class Run:
    """What happened. `error`: the machine raised, which the driver turns into an error status."""

    gateway: Gateway
    decided: list[Decided] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: BaseException | None = None
    fired: bool = False  # a timer or pressure took part
    held: int = 0

    @property
    def ending(self) -> str:
        """right, refused, broken: how the client and the backend see it end."""
        if self.gateway.refused is not None:
            return "refused"
        return "clean" if self.gateway.clean and self.error is None else "broken"


Watch = Callable[[], None]


class _Player:
    def __init__(self, policy: Policy, request: Request) -> None:
        self.request = request
        self.exchange = Exchange(policy)
        headers = {
            ":method": b"POST",
            ":scheme": b"http",
            ":authority": b"example",
            ":path": request.path.encode(),
            "content-type": b"application/json",
            **dict(request.headers),
        }
        headers = {name: value for name, value in headers.items() if value}  # b"": it has none
        mode = "partial" if request.mode == "prefix" else request.mode
        self.run = Run(Gateway(mode, request.dialect, headers))
        self.now = 1000.0
        self.inbox: deque[Event] = deque()
        self.pending: tuple[int, Ask, int] | None = None  # ask id, ask, messages to wait for
        self.timers: dict[Timer, float] = {}
        self.first = True

    # -- towards the machine

    def play(self) -> Run:
        request, gateway = self.request, self.run.gateway
        try:
            self.send(Phase.REQUEST_HEADERS, headers=tuple(gateway.headers.items()))
            last = len(request.pieces) - 1
            has_end = request.trailers == "none" and request.mode != "prefix"
            for index, piece in enumerate(request.pieces):
                if self.over:
                    break
                end = has_end and index == last and not request.own_end
                gateway.sends(piece, end=end)
                self.send(Phase.REQUEST_BODY, body=piece, end=end)
                self.meanwhile(index)
                if index == request.leaves_behind:
                    return self.gone()
            if has_end and request.own_end and not self.over:
                gateway.sends(b"", end=True)
                self.send(Phase.REQUEST_BODY, end=True)
            self.finish()
        except Exception as error:
            self.run.error = error
        return self.gone()

    @property
    def over(self) -> bool:
        return self.run.gateway.refused is not None

    def finish(self) -> None:
        """Trailers as the gateway tells them, then whatever is still awaited comes or runs out."""
        request, gateway = self.request, self.run.gateway
        if request.trailers == "send" and not self.over:
            gateway.sends_trailers()
            self.send(Phase.REQUEST_TRAILERS, headers=(("x-checksum", b"1"),))
        elif request.trailers == "skip" and request.dialect == "agentgateway" and not self.over:
            gateway.sends(b"", end=True, optional=True)
            self.send(Phase.REQUEST_BODY, end=True)
        self.settle()
        gateway.ends(request.rest)

    def settle(self) -> None:
        for timer in (Timer.CLASSIFY, getattr(Timer, "MESSAGE", None), Timer.DEADLINE, None):
            while self.pending is not None and self.request.answers != "silent":
                self.answer()
                self.work()
            if self.waits and timer is not None and timer in self.timers:
                self.fire(timer)

    @property
    def waits(self) -> bool:
        """True while the client waits for something."""
        gateway = self.run.gateway
        if self.over or gateway.clean:
            return False
        return bool(gateway.mode == "duplex" or gateway._unanswered or gateway._trailers)

    def gone(self) -> Run:
        """The gateway is gone: everything must be freed, whatever happened."""
        for reset in (False, True):
            try:
                for command in self.exchange.receive(PeerEnded(reset=reset), self.now):
                    self.act(command)
            except Exception as error:
                self.run.error = self.run.error or error
        self.run.held = self.exchange.held
        return self.run

    def send(
        self,
        phase: Phase,
        *,
        headers: tuple[tuple[str, bytes], ...] = (),
        body: bytes = b"",
        end: bool = False,
    ) -> None:
        config = ProtocolConfig(MODES[self.request.mode], BodyMode.NONE) if self.first else None
        message = encode_request(
            phase,
            headers=headers,
            body=body,
            end_of_stream=end,
            protocol_config=config,
            dialect=self.request.dialect,
        )
        request = decode_request(message)
        if self.first:
            self.first = False
            self.feed(opening(request))
        event = event_of(request)
        if event is not None:
            self.feed(event)

    def meanwhile(self, index: int) -> None:
        """What happens behind the body message `index`."""
        for at, event in self.request.events:
            if at == index and not self.over:
                if isinstance(event, TimerFired):
                    if event.timer in self.timers:
                        self.fire(event.timer)
                else:
                    self.run.fired = True
                    self.feed(event)
        if self.pending is not None and self.request.answers != "silent":
            ask_id, ask, wait = self.pending
            self.pending = (ask_id, ask, wait - 1)
            if wait <= 0 or self.exchange.full:
                self.answer()
                self.work()
        if self.exchange.full and self.pending is not None and Timer.CLASSIFY in self.timers:
            self.fire(Timer.CLASSIFY)  # nothing is read until the classifier's time is up

    def fire(self, timer: Timer) -> None:
        self.run.fired = True
        del self.timers[timer]
        self.feed(TimerFired(timer))

    def answer(self) -> None:
        """The classifier's answer goes into the inbox."""
        if self.pending is None:
            return
        (ask_id, ask, _), self.pending = self.pending, None
        if self.request.answers == "fail":
            self.inbox.append(ev.ScoresFailed(ask_id, "classifier_error"))
        else:
            self.inbox.append(ev.ScoresArrived(ask_id, self.request.scorer(ask)))

    def feed(self, event: Event) -> None:
        self.inbox.append(event)
        self.work()

    def work(self) -> None:
        """Everything in the inbox, and what that causes, in order."""
        room = getattr(ev, "RoomMade", None)
        rounds = 0
        while self.inbox:
            self.now += 0.001
            for command in self.exchange.receive(self.inbox.popleft(), self.now):
                self.act(command)
            if not self.inbox and room is not None and getattr(self.exchange, "more", False):
                self.inbox.append(room())
                rounds += 1
                if rounds > _ROUNDS:
                    raise Hang

    # -- what the machine wants

    def act(self, command: Command) -> None:
        match command:
            case AskClassifier(ask_id, ask):
                self.pending = (ask_id, ask, self.request.lag)
                if not self.request.lag and self.request.answers != "silent":
                    self.answer()
            case DropAsk():
                self.pending = None
            case StartTimer(timer, seconds):
                self.timers[timer] = seconds
            case StopTimers():
                self.timers.clear()
            case Decided():
                self.run.decided.append(command)
            case _:
                if type(command).__name__ == "Noted":
                    self.run.notes.append(str(command.kind))  # type: ignore[union-attr]
                    return
                message = encode(command)
                if message is not None:
                    self.run.gateway.takes(decode_response(message))


def play(policy: Policy, request: Request) -> Run:
    """One request against a fresh machine."""
    return _Player(policy, request).play()


def reference(policy: Policy, request: Request, plain: bytes) -> Run:
    """The same document uncut, as it is, in full duplex, with nothing happening meanwhile."""
    bare = tuple(h for h in request.headers if h[0] not in ("content-length", "content-encoding"))
    return play(
        policy,
        replace(
            request,
            mode="duplex",
            dialect="envoy",
            headers=bare,
            pieces=[plain],
            trailers="none",
            rest=b"",
            lag=0,
            events=(),
            own_end=False,
            leaves_behind=None,
            answers="fail" if request.answers == "fail" else "score",
        ),
    )
