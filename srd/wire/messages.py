"""The values that the codec speaks: one incoming message, and the settings inside messages.

Why this file exists: the exchange, its drivers and the codec share these names. Nothing here knows
the wire format. Numbers are those of the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import msgspec

Headers = tuple[tuple[str, bytes], ...]
"""Lower-case names and raw values, in the order of the wire, duplicates kept."""


class Phase(IntEnum):
    """Which part of the exchange a message carries; the number is that of the oneof's member."""

    NONE = 0
    REQUEST_HEADERS = 2
    RESPONSE_HEADERS = 3
    REQUEST_BODY = 4
    RESPONSE_BODY = 5
    REQUEST_TRAILERS = 6
    RESPONSE_TRAILERS = 7


class BodyMode(IntEnum):
    """How a gateway sends the body of one direction."""

    NONE = 0
    STREAMED = 1
    BUFFERED = 2
    BUFFERED_PARTIAL = 3
    FULL_DUPLEX_STREAMED = 4
    GRPC = 5


class HeaderMode(IntEnum):
    """Whether a gateway sends headers or trailers of one direction."""

    DEFAULT = 0
    SEND = 1
    SKIP = 2


@dataclass(frozen=True, slots=True)
class ProtocolConfig:
    """What the gateway announces in its first message.

    Modes are plain numbers: a newer gateway may know one that BodyMode does not.
    """

    request_body_mode: int
    response_body_mode: int
    send_body_without_waiting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeOverride:
    """Other modes for the rest of the exchange.

    Body modes are always taken as they stand, unset means NONE: hence all
    six are required.
    """

    request_header_mode: HeaderMode
    response_header_mode: HeaderMode
    request_body_mode: BodyMode
    response_body_mode: BodyMode
    request_trailer_mode: HeaderMode
    response_trailer_mode: HeaderMode


class Request(msgspec.Struct, frozen=True, gc=False):
    """One message from the gateway.

    `headers` holds headers or trailers. `attributes` and `metadata_context` map a namespace to
    its values; None when the message has none. A message without any phase has Phase.NONE.
    """

    phase: Phase
    headers: Headers = ()
    body: bytes = b""
    end_of_stream: bool = False
    protocol_config: ProtocolConfig | None = None
    observability_mode: bool = False
    attributes: dict[str, dict[str, object]] | None = None
    metadata_context: dict[str, dict[str, object]] | None = None

    def __repr__(self) -> str:
        parts = [self.phase.name.lower()]
        if self.phase in (Phase.REQUEST_BODY, Phase.RESPONSE_BODY):
            parts.append(f"{len(self.body)} bytes")
        elif self.headers:
            # Names only: values hold credentials.
            parts.append(f"[{', '.join(name for name, _ in self.headers)}]")
        if self.end_of_stream:
            parts.append("end of stream")
        if self.observability_mode:
            parts.append("observed")
        if self.protocol_config is not None:
            parts.append(repr(self.protocol_config))
        return f"<Request {' '.join(parts)}>"
