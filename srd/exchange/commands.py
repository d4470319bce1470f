"""What an exchange asks its driver to do, as values.

Why this file exists: the other half of the transcript. A command names an effect; how it is encoded
and sent is the driver's business.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

from srd.classify.api import Ask
from srd.decide.decision import Decision
from srd.exchange.events import BodyMode, Direction, Headers, Timer
from srd.plugins.errors import Immediate


@dataclass(frozen=True, slots=True)
class ModeOverride:
    """All six fields of ProcessingMode, always explicit: an unset body mode means NONE to both
    gateways (Envoy's processing_mode.proto). Header and trailer modes: 1 SEND, 2 SKIP."""

    request_header_mode: int
    response_header_mode: int
    request_body_mode: int
    response_body_mode: int
    request_trailer_mode: int
    response_trailer_mode: int


@dataclass(frozen=True, slots=True)
class ReplyHeaders:
    """Answer the headers; commits headers and route of that direction."""

    direction: Direction
    set_headers: Headers = ()
    remove_headers: tuple[str, ...] = ()
    clear_route_cache: bool = False
    mode_override: ModeOverride | None = None


@dataclass(frozen=True, slots=True)
class ReplyChunk:
    """A piece of streamed body (FULL_DUPLEX_STREAMED), at most CHUNK_BYTES long."""

    direction: Direction
    data: bytes | memoryview
    end: bool = False

    def __repr__(self) -> str:
        return f"ReplyChunk({self.direction}, {len(self.data)} B, end={self.end})"


@dataclass(frozen=True, slots=True)
class ReplyBody:
    """The one answer to a body message in BUFFERED, BUFFERED_PARTIAL and STREAMED. `body` None
    leaves the bytes alone; b"" clears them."""

    direction: Direction
    body: bytes | None = None
    set_headers: Headers = ()
    remove_headers: tuple[str, ...] = ()
    clear_route_cache: bool = False

    def __repr__(self) -> str:
        size = "unchanged" if self.body is None else f"{len(self.body)} B"
        return f"ReplyBody({self.direction}, {size})"


@dataclass(frozen=True, slots=True)
class ReplyTrailers:
    """Answer the trailers; never carries a mutation (AgentGateway drops it)."""

    direction: Direction


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer the client ourselves. Never once a byte of the body has left, and in full duplex not
    behind the header reply: the upstream's request is open then."""

    immediate: Immediate


@dataclass(frozen=True, slots=True)
class AskClassifier:
    """Start one forward off the loop; its answer comes back as ScoresArrived or ScoresFailed."""

    ask_id: int
    ask: Ask


@dataclass(frozen=True, slots=True)
class DropAsk:
    """The answer is no longer wanted."""

    ask_id: int


@dataclass(frozen=True, slots=True)
class StartTimer:
    """(Re)start a timer; it comes back as TimerFired."""

    timer: Timer
    seconds: float


@dataclass(frozen=True, slots=True)
class StopTimers:
    """The decision fell (or the exchange ended): no timer is wanted any more."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision fell. A fact for the renderings, not an effect on the gateway."""

    decision: Decision


class NoteKind(enum.StrEnum):
    """What may be worth telling of one exchange beside its decision; label of a metric."""

    LATE_MODEL_NAME = "late_model_name"  # an explicit name behind late_model_bytes: rewritten
    DUPLICATE_KEY = "duplicate_key"  # a second model, messages, ...: rewritten or dropped
    DROPPED_BOUND = "dropped_bound"  # what only another model can read, by setting; the detail says
    SYSTEM_PROMPT_MISSED = "system_prompt_missed"  # asked for and not written
    UNREAD = "unread"  # our path, and the body was not read; the detail is the reason
    PARTIAL_UNROUTABLE = "partial_unroutable"  # BUFFERED_PARTIAL: only a prefix came
    REFUSED = "refused"  # the detail is the refusal's reason
    WOULD_REFUSE = "would_refuse"  # the same, where a rule that blocks only observes
    NOT_CARRIED_OUT = "not_carried_out"  # a plugin that this API has no place for
    FAULT = "fault"  # of ours; the detail is the exception's name


@dataclass(frozen=True, slots=True)
class Noted:
    """A fact for the record, the log and a metric. `detail` may be a client's text: bounded here,
    cleaned where it is rendered. `error` is the exception behind a FAULT, for its traceback."""

    kind: NoteKind
    detail: str = ""
    error: BaseException | None = None

    @property
    def reason(self) -> str:
        """The detail's first word, of a fixed set where the kind says so: a label."""
        return self.detail.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Observed:
    """The response is over: its status, and as much of its usage as was seen (None: not observed).

    `prompt_tokens` is what the client reads, and whether cached tokens are among them is the API's
    to say; `fresh_tokens`, `cached_tokens` and `cache_write_tokens` mean the same for every API.
    `ended`: the answer's end was seen.
    """

    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    streamed: bool
    status: int
    fresh_tokens: int | None = None
    cache_write_tokens: int | None = None
    finish_reason: str | None = None
    ended: bool = True

    @property
    def usage(self) -> Literal["complete", "partial", "none"]:
        """How much of the usage was observed. Complete: both sides, and no later figure can come,
        because the answer said how it ended or its end was seen."""
        both = self.prompt_tokens is not None and self.completion_tokens is not None
        if both and (self.ended or self.finish_reason is not None):
            return "complete"
        figures = (self.prompt_tokens, self.completion_tokens, self.cached_tokens)
        seen = any(figure is not None for figure in (*figures, self.cache_write_tokens))
        return "partial" if seen else "none"


Command = (
    ReplyHeaders
    | ReplyChunk
    | ReplyBody
    | ReplyTrailers
    | Refuse
    | AskClassifier
    | DropAsk
    | StartTimer
    | StopTimers
    | Decided
    | Noted
    | Observed
)

__all__ = [
    "AskClassifier",
    "BodyMode",
    "Command",
    "Decided",
    "DropAsk",
    "ModeOverride",
    "NoteKind",
    "Noted",
    "Observed",
    "Refuse",
    "ReplyBody",
    "ReplyChunk",
    "ReplyHeaders",
    "ReplyTrailers",
    "StartTimer",
    "StopTimers",
]
