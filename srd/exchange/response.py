"""The response half of an exchange: facts into headers, pieces straight through, usage observed.

Rule: an answer is never buffered, delayed or changed here. Where the gateway was told to collect
responses, an SSE answer's header reply overrides the mode. A fault while observing costs the
figures, never the answer. It must not know which event is legal when (srd.exchange.table), how the
request was decided, only the Decision, nor whether the request has ended: an upstream may answer
while the upload still runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srd.body.usage import UsageReader
from srd.decide.decision import Decision
from srd.exchange.commands import (
    Command,
    ModeOverride,
    Noted,
    NoteKind,
    Observed,
    ReplyBody,
    ReplyHeaders,
    ReplyTrailers,
)
from srd.exchange.errors import ExchangeBug
from srd.exchange.events import (
    BodyArrived,
    BodyMode,
    Headers,
    HeadersArrived,
    TrailersArrived,
)
from srd.exchange.facts import Dialect, RequestFacts
from srd.exchange.modes import chunks
from srd.exchange.states import State
from srd.plugins.response_headers import response_headers, spoofed_headers

if TYPE_CHECKING:
    from srd.exchange.table import Row

SEND, SKIP = 1, 2
#: Mutations that Envoy takes in one answer; more are refused, ours among them.
MUTATIONS = 100


class ResponseHalf:
    """One response. Every message is answered in the style of the announced mode.

    Methods named `on_...` are the table's handlers. `override`: whether the reply to an SSE answer
    may change the mode.
    """

    half = "response"

    def __init__(self, mode: BodyMode, request_mode: BodyMode, *, override: bool = True) -> None:
        self._mode = mode
        self._request_mode = request_mode
        self._override = override
        self._facts = RequestFacts(headers={})
        self._decision: Decision | None = None
        self._debug = False
        self.row: Row | None = None
        self.state = State.WAITING
        self._status = 0
        self._events = False  # the headers announce server-sent events
        self._usage: UsageReader | None = None

    def announced(self, mode: BodyMode, request_mode: BodyMode) -> None:
        """The first message tells how bodies will come; before anything else."""
        self._mode, self._request_mode = mode, request_mode

    def __repr__(self) -> str:
        status = self._status or "-"
        return f"<ResponseHalf {self.state.value} mode={self._mode.name} status={status}>"

    def told(self, facts: RequestFacts, decision: Decision | None, *, debug: bool) -> None:
        """Which request this answers; before its headers. `debug`: the client may be told more."""
        self._facts, self._decision, self._debug = facts, decision, debug

    def on_headers(self, event: HeadersArrived, now: float) -> list[Command]:
        """Response headers; 1xx are answered and are not yet the response."""
        headers, end = event.headers, event.end
        facts, decision = self._facts, self._decision
        status = _status(headers)
        spoofed = spoofed_headers(headers) if decision is not None or facts.api is not None else ()
        if 100 <= status < 200 and not end:
            removed = self._room(facts, spoofed, ())
            return [ReplyHeaders("response", remove_headers=removed)]
        self._become(State.FLOWING)
        self._status = status
        kind = _values(headers, "content-type").split(",", 1)[0]
        self._events = kind.split(";", 1)[0].strip().lower() == "text/event-stream"
        set_headers: Headers = ()
        if decision is not None:
            set_headers = response_headers(decision, status=status, debug=self._debug)
            if not end:
                encoding = _values(headers, "content-encoding")
                self._usage = UsageReader(content_type=kind, content_encoding=encoding)
        # A gateway may ignore the override (it must be allowed there): whatever still comes is
        # answered in the announced style, which is the same for BUFFERED and STREAMED.
        override = None if end else self._mode_override(facts.dialect)
        removed = self._room(facts, spoofed, set_headers)
        reply = ReplyHeaders("response", set_headers, removed, mode_override=override)
        return [reply, *self._finish(ended=True)] if end else [reply]

    def on_body(self, event: BodyArrived, now: float) -> list[Command]:
        """One body message, passed on as it is."""
        data, end = event.data, event.end
        self._become(State.FLOWING)
        commands: list[Command] = (
            chunks("response", data, end=end)
            if self._mode is BodyMode.FULL_DUPLEX_STREAMED
            else [ReplyBody("response")]
        )
        commands += self._observe(data)
        return [*commands, *self._finish(ended=True)] if end else commands

    def on_trailers(self, event: TrailersArrived, now: float) -> list[Command]:
        """Trailers end a body that never carried end_of_stream."""
        return [ReplyTrailers("response"), *self._finish(ended=True)]

    def close(self) -> list[Command]:
        """The stream ends, perhaps before the response did."""
        open_ = self.state in (State.WAITING, State.FLOWING)
        self.state = State.CLOSED  # outside the table: the stream itself has ended
        return self._usage_told(ended=False) if open_ else []

    def _observe(self, data: bytes) -> list[Command]:
        """Look at what passes. A fault ends the looking, never the exchange."""
        try:
            if self._usage is not None:
                self._usage.feed(data)
        except Exception as error:
            return self._blind(error)
        return []

    def _blind(self, error: Exception) -> list[Command]:
        self._usage = None
        return [Noted(NoteKind.FAULT, type(error).__name__, error)]

    def _finish(self, *, ended: bool) -> list[Command]:
        self._become(State.DONE)
        return self._usage_told(ended=ended)

    def _usage_told(self, *, ended: bool) -> list[Command]:
        noted: list[Command] = []
        try:
            if self._usage is not None:
                ended = self._usage.finish() and ended
        except Exception as error:
            noted = self._blind(error)
        if not self._status:
            return noted
        if self._usage is None:
            observed = Observed(None, None, None, None, self._events, self._status, ended=ended)
            return [*noted, observed]
        figures = self._usage.figures
        return [
            *noted,
            Observed(
                model=figures.model,
                prompt_tokens=figures.prompt_tokens,
                completion_tokens=figures.completion_tokens,
                cached_tokens=figures.cached_tokens,
                streamed=self._events or self._usage.streamed,
                status=self._status,
                fresh_tokens=figures.fresh_tokens,
                cache_write_tokens=figures.cache_write_tokens,
                finish_reason=figures.finish_reason,
                ended=ended,
            ),
        ]

    def _become(self, state: State) -> None:
        """The table says where the event at hand may lead; staying is always legal."""
        if state is not self.state and (self.row is None or state not in self.row.to):
            raise ExchangeBug(f"response: {self.state} -> {state} by {self.row}")
        self.state = state

    @staticmethod
    def _room(facts: RequestFacts, spoofed: tuple[str, ...], ours: Headers) -> tuple[str, ...]:
        """The headers to remove: those that ours do not overwrite, and as many as there is room
        for beside ours (Envoy takes 100 mutations, AgentGateway any number)."""
        names = {name for name, _ in ours}
        removed = tuple(name for name in spoofed if name not in names)
        return removed[: MUTATIONS - len(ours)] if facts.dialect is Dialect.ENVOY else removed

    def _mode_override(self, dialect: Dialect) -> ModeOverride | None:
        """Only where it can matter: an SSE answer that the gateway would collect first."""
        collects = self._mode in (BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL)
        if not (self._override and self._events and collects):
            return None
        if self._request_mode is BodyMode.FULL_DUPLEX_STREAMED and dialect is Dialect.ENVOY:
            return None  # Envoy ignores overrides when either configured mode is full duplex
        body = BodyMode.NONE if dialect is Dialect.AGENTGATEWAY else BodyMode.STREAMED
        duplex = self._request_mode is BodyMode.FULL_DUPLEX_STREAMED
        return ModeOverride(
            request_header_mode=SEND,
            response_header_mode=SEND,
            request_body_mode=max(int(self._request_mode), 0),
            response_body_mode=int(body),
            request_trailer_mode=SEND if duplex else SKIP,
            response_trailer_mode=SKIP,
        )


def _values(headers: Headers, name: str) -> str:
    """All values of a header as one list; "" when it is absent."""
    found = [value.decode("utf-8", "replace") for key, value in headers if key == name]
    return ", ".join(found)


def _status(headers: Headers) -> int:
    status = _values(headers, ":status").split(",", 1)[0]
    return int(status) if status.isascii() and status.isdigit() and len(status) == 3 else 0
