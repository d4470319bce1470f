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
    Headers,
    HeadersArrived,
    Opened,
    TrailersArrived,
)
from srd.plugins.plan import SELECTED_MODEL
from srd.wire import codec
from srd.wire.messages import BodyMode as WireBodyMode
from srd.wire.messages import HeaderMode, ModeOverride, Phase, Request

log = logging.getLogger("srd.stream")

_ATTRIBUTES = "envoy.filters.http.ext_proc"  # both gateways' name for what they were told to send
_SOURCE_ADDRESS = "source.address"


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
            return HeadersArrived(
                "request", request.headers, request.end_of_stream, _source_address(request)
            )
        case Phase.RESPONSE_HEADERS:
            return HeadersArrived("response", request.headers, request.end_of_stream)
        case Phase.REQUEST_TRAILERS:
            return TrailersArrived("request")
        case Phase.RESPONSE_TRAILERS:
            return TrailersArrived("response")
    return None


def _source_address(request: Request) -> str:
    """What the gateway was configured to tell (`request_attributes`), or nothing."""
    found = (request.attributes or {}).get(_ATTRIBUTES, {}).get(_SOURCE_ADDRESS)
    return found if isinstance(found, str) else ""


def encode(command: Command, extra_headers: Headers = ()) -> bytes | None:
    """The reply's bytes; None for a command that is not a reply. A header whose name HTTP does not
    allow is left out, and no other with it."""
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


def _headers(command: ReplyHeaders, extra: Headers) -> bytes:
    wanted = command.mode_override
    set_headers, remove_headers = _mutation((*command.set_headers, *extra), command.remove_headers)
    return codec.encode_headers_reply(
        command.direction,
        set_headers=set_headers,
        remove_headers=remove_headers,
        clear_route_cache=command.clear_route_cache,
        mode_override=None if wanted is None else _override(wanted),
    )


def _body(command: ReplyBody) -> bytes:
    set_headers, remove_headers = _mutation(command.set_headers, command.remove_headers)
    return codec.encode_body_reply(
        command.direction,
        body=command.body or None,
        clear=command.body == b"",
        set_headers=set_headers,
        remove_headers=remove_headers,
        clear_route_cache=command.clear_route_cache,
    )


def _mutation(
    set_headers: Headers, remove_headers: tuple[str, ...]
) -> tuple[Headers, tuple[str, ...]]:
    """What of a mutation can be written, in its order but for x-selected-model, which is first:
    whatever a gateway makes of a long list, the route is the decided one.

    What is set needs no removal, since setting overwrites all lines of a header; but a value that
    the wire leaves out for being empty sets nothing.
    """
    names = dict.fromkeys((*(name for name, _ in set_headers), *remove_headers))
    refused = {name for name in names if not codec.is_header_name(name)}
    if refused:
        # Bounded: a name may be a client's.
        log.warning("%d header mutations dropped, such as %.80r", len(refused), min(refused))
        set_headers = tuple(h for h in set_headers if h[0] not in refused)
    written = {name.lower() for name, value in set_headers if codec.sanitise_value(value)}
    removed = dict.fromkeys(name.lower() for name in remove_headers if name not in refused)
    return (
        tuple(sorted(set_headers, key=lambda header: header[0] != SELECTED_MODEL)),
        tuple(name for name in removed if name not in written),
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
