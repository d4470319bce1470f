"""Between the wire's words and the exchange's: one message to one event, one reply to its bytes.

Why this file exists: `wire` knows no exchange and `exchange` no wire; the driver and the test
playbooks must translate the same way. It must not keep state or decide anything.
"""

from __future__ import annotations

import logging

from srd.exchange.commands import (
    Command,
    Refuse,
    ReplyBody,
    ReplyChunk,
    ReplyHeaders,
    ReplyTrailers,
)
from srd.exchange.commands import ModeOverride as WantedOverride
from srd.exchange.errors import GatewayProtocolError
from srd.exchange.events import (
    BodyArrived,
    BodyMode,
    Event,
    HeadersArrived,
    Opened,
    TrailersArrived,
)
from srd.wire import codec
from srd.wire.messages import BodyMode as WireBodyMode
from srd.wire.messages import HeaderMode, ModeOverride, Phase, Request

log = logging.getLogger("srd.stream")


def opening(request: Request) -> Opened:
    """What the first message announces. GatewayProtocolError for a body mode that we do not speak:
    refused before any body."""
    config = request.protocol_config
    if config is None:
        return Opened(observability=request.observability_mode)
    return Opened(
        _mode(config.request_body_mode),
        _mode(config.response_body_mode),
        observability=request.observability_mode,
    )


def _mode(number: int) -> BodyMode:
    if 0 <= number <= BodyMode.FULL_DUPLEX_STREAMED:
        return BodyMode(number)
    raise GatewayProtocolError(f"body mode {number} is not supported", status="UNIMPLEMENTED")


def event_of(request: Request) -> Event | None:
    """The event in a message; None for a message without any phase, which both gateways ignore."""
    match request.phase:
        case Phase.REQUEST_BODY:
            return BodyArrived("request", request.body, request.end_of_stream)
        case Phase.RESPONSE_BODY:
            return BodyArrived("response", request.body, request.end_of_stream)
        case Phase.REQUEST_HEADERS:
            return HeadersArrived("request", request.headers, request.end_of_stream)
        case Phase.RESPONSE_HEADERS:
            return HeadersArrived("response", request.headers, request.end_of_stream)
        case Phase.REQUEST_TRAILERS:
            return TrailersArrived("request")
        case Phase.RESPONSE_TRAILERS:
            return TrailersArrived("response")
    return None


def encode(command: Command, extra_headers: tuple[tuple[str, bytes], ...] = ()) -> bytes | None:
    """The reply's bytes; None for a command that is not a reply. Never raises: a header that HTTP
    does not allow costs the mutation, not the request."""
    match command:
        case ReplyChunk(direction, data, end):
            return codec.encode_streamed_body(direction, data, end)
        case ReplyTrailers(direction):
            return codec.encode_trailers_reply(direction)
        case ReplyHeaders():
            return _headers(command, extra_headers)
        case ReplyBody():
            return _body(command)
        case Refuse(immediate):
            return codec.encode_immediate(
                immediate.status, headers=immediate.headers, body=immediate.body
            )
    return None


def _headers(command: ReplyHeaders, extra: tuple[tuple[str, bytes], ...]) -> bytes:
    wanted = command.mode_override
    override = None if wanted is None else _override(wanted)
    try:
        return codec.encode_headers_reply(
            command.direction,
            set_headers=(*command.set_headers, *extra),
            remove_headers=command.remove_headers,
            clear_route_cache=command.clear_route_cache,
            mode_override=override,
        )
    except ValueError as bad:
        log.warning("header mutation dropped: %s", bad)
        return codec.encode_headers_reply(command.direction, mode_override=override)


def _body(command: ReplyBody) -> bytes:
    body, clear = command.body or None, command.body == b""
    try:
        return codec.encode_body_reply(
            command.direction,
            body=body,
            clear=clear,
            set_headers=command.set_headers,
            remove_headers=command.remove_headers,
            clear_route_cache=command.clear_route_cache,
        )
    except ValueError as bad:
        log.warning("header mutation dropped: %s", bad)
        length = tuple(h for h in command.set_headers if h[0] == "content-length")
        return codec.encode_body_reply(
            command.direction, body=body, clear=clear, set_headers=length
        )


def _override(wanted: WantedOverride) -> ModeOverride:
    return ModeOverride(
        request_header_mode=HeaderMode(wanted.request_header_mode),
        response_header_mode=HeaderMode(wanted.response_header_mode),
        request_body_mode=WireBodyMode(wanted.request_body_mode),
        response_body_mode=WireBodyMode(wanted.response_body_mode),
        request_trailer_mode=HeaderMode(wanted.request_trailer_mode),
        response_trailer_mode=HeaderMode(wanted.response_trailer_mode),
    )
