"""The response half of an exchange: facts into headers, chunks straight through, usage observed.

Rule: a streamed answer is never buffered. Where the gateway was told to buffer responses, an SSE
answer's header reply overrides the mode (protocol reference 1.5, 1.8; design section 4.7).
It must not know how the request was decided, only the Decision.
"""

from __future__ import annotations

from srd.body.sse import UsageReader
from srd.decide.decision import Decision
from srd.exchange.commands import (
    Command,
    ModeOverride,
    Observed,
    ReplyBody,
    ReplyHeaders,
    ReplyTrailers,
)
from srd.exchange.events import BodyMode, Headers
from srd.exchange.facts import Dialect, RequestFacts
from srd.exchange.modes import chunks
from srd.plugins.response_headers import response_headers

SEND, SKIP = 1, 2


class ResponseHalf:
    """One response. Every message is answered in the style of the announced mode."""

    def __init__(self, mode: BodyMode, request_mode: BodyMode, *, override: bool = True) -> None:
        self._mode = mode
        self._request_mode = request_mode
        self._override = override
        self._usage: UsageReader | None = None
        self._status = 0
        self._streamed = False
        self._done = False

    def __repr__(self) -> str:
        state = "done" if self._done else "open"
        return f"<ResponseHalf {state} mode={self._mode.name} status={self._status or '-'}>"

    def headers(
        self, headers: Headers, end: bool, facts: RequestFacts, decision: Decision | None
    ) -> list[Command]:
        first = {key: value.decode("utf-8", "replace") for key, value in reversed(headers)}
        status = first.get(":status", "")
        self._status = int(status) if status.isascii() and status.isdigit() else 0
        kind = first.get("content-type", "").split(";", 1)[0].strip().lower()
        self._streamed = kind == "text/event-stream"
        override = None if end else self._mode_override(facts.dialect)
        set_headers: Headers = ()
        if decision is not None:
            set_headers = response_headers(decision, status=self._status, debug=facts.debug)
            if not first.get("content-encoding") and not end:
                self._usage = UsageReader(streamed=self._streamed)
        commands: list[Command] = [ReplyHeaders("response", set_headers, mode_override=override)]
        # A gateway may ignore the override (it must be allowed there): whatever still comes is
        # answered in the announced style, which is the same for BUFFERED and STREAMED.
        return [*commands, *self._finish()] if end else commands

    def body(self, data: bytes, end: bool) -> list[Command]:
        if self._done:
            return []
        if self._usage is not None:
            self._usage.feed(data)
        commands: list[Command] = (
            chunks("response", data, end=end)
            if self._mode is BodyMode.FULL_DUPLEX_STREAMED
            else [ReplyBody("response")]
        )
        return [*commands, *self._finish()] if end else commands

    def trailers(self) -> list[Command]:
        if self._done:
            return []
        return [ReplyTrailers("response"), *self._finish()]

    def close(self) -> list[Command]:
        """The stream ends, perhaps before the response did."""
        return [] if self._done else self._finish()

    def _finish(self) -> list[Command]:
        self._done = True
        if not self._status:
            return []
        usage = self._usage
        if usage is not None:
            usage.finish()
        return [
            Observed(
                model=usage.model if usage else None,
                prompt_tokens=usage.prompt_tokens if usage else None,
                completion_tokens=usage.completion_tokens if usage else None,
                cached_tokens=usage.cached_tokens if usage else None,
                streamed=self._streamed,
                status=self._status,
            )
        ]

    def _mode_override(self, dialect: Dialect) -> ModeOverride | None:
        """Only where it can matter: an SSE answer that the gateway would collect first."""
        collects = self._mode in (BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL)
        if not (self._override and self._streamed and collects):
            return None
        if self._request_mode is BodyMode.FULL_DUPLEX_STREAMED and dialect is Dialect.ENVOY:
            return None  # Envoy ignores overrides when either configured mode is full duplex (1.5)
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
