"""What can happen to one HTTP exchange, as values.

Why this file exists: the state machine takes these and nothing else, so a protocol rule is tested
by listing what happened. It must not know the wire, the clock or the driver.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

from srd.classify.api import Scores

Direction = Literal["request", "response"]
Headers = tuple[tuple[str, bytes], ...]


class BodyMode(enum.IntEnum):
    """How the gateway hands over a body; the numbers are those of ProcessingMode.BodySendMode.

    UNKNOWN: the gateway announced nothing (Envoy before 1.34); BUFFERED answers when the first
    body message is the last one, STREAMED answers otherwise.
    """

    UNKNOWN = -1
    NONE = 0
    STREAMED = 1
    BUFFERED = 2
    BUFFERED_PARTIAL = 3
    FULL_DUPLEX_STREAMED = 4


class Timer(enum.Enum):
    """The timers that an exchange may ask for. All but MESSAGE run only before the decision."""

    DEADLINE = "deadline"  # streamed_body.timeout_sec, from the headers on
    IDLE = "idle"  # limits.idle_timeout_sec, re-armed by every body message
    BUDGET = "budget"  # early_decision.budget_ms, from the first body byte of a large body on
    CLASSIFY = "classify"  # limits.classify_timeout_ms, while nothing but scores is awaited
    MESSAGE = "message"  # message_timeout_ms: STREAMED, the newest message is unanswered


@dataclass(frozen=True, slots=True)
class Opened:
    """The first message announced how bodies will come (ProtocolConfiguration in Envoy's
    external_processor.proto); UNKNOWN where it did not."""

    request_mode: BodyMode = BodyMode.UNKNOWN
    response_mode: BodyMode = BodyMode.UNKNOWN
    observability: bool = False


@dataclass(frozen=True, slots=True)
class HeadersArrived:
    """Request or response headers; keys lower-case, order and duplicates as received.

    `source_address` is the client as the gateway sees it, "" where the gateway does not say.
    """

    direction: Direction
    headers: Headers
    end: bool = False
    source_address: str = ""


@dataclass(frozen=True, slots=True)
class BodyArrived:
    """One body message. `end` with empty data is legal, and common: both gateways send it."""

    direction: Direction
    data: bytes
    end: bool = False

    def __repr__(self) -> str:
        return f"BodyArrived({self.direction}, {len(self.data)} B, end={self.end})"


@dataclass(frozen=True, slots=True)
class TrailersArrived:
    """Trailers end a body that therefore never carried end_of_stream."""

    direction: Direction


@dataclass(frozen=True, slots=True)
class ScoresArrived:
    """The classifier answered ask number `ask_id`."""

    ask_id: int
    scores: Scores


@dataclass(frozen=True, slots=True)
class ScoresFailed:
    """The classifier raised, hung or was full. `reason` is a short label of ours."""

    ask_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer that was started ran out."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class RoomMade:
    """The driver has room for more of a body whose rest is still packed (`Exchange.more`)."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """The process holds too many bytes: decide now with what is known, never fail."""


@dataclass(frozen=True, slots=True)
class PeerEnded:
    """The gateway half-closed the stream, or (`reset`) is gone. Always legal, in every state."""

    reset: bool = False


Event = (
    Opened
    | HeadersArrived
    | BodyArrived
    | TrailersArrived
    | ScoresArrived
    | ScoresFailed
    | TimerFired
    | RoomMade
    | Pressure
    | PeerEnded
)
