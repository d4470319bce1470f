"""ProcessingResponse to bytes: the replies that srd gives.

Why this file exists: a reply must please two gateways that disagree (Envoy's
external_processor.proto and mutation rules; AgentGateway's ext_proc), so the portable form is
written here once: lower-case names, `raw_value` only and never empty, `append` unset, valid UTF-8.
It must not know why a reply is given, nor how many headers a gateway takes: leaving some out is
never right, so whoever decides what is asked for refuses instead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from srd.wire.primitives import delimited, number_field, varint
from srd.wire.struct import encode_struct, encode_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srd.wire.messages import ModeOverride

Direction = Literal["request", "response"]

_HEADERS: dict[str, int] = {"request": 1, "response": 2}
_BODY: dict[str, int] = {"request": 3, "response": 4}
_TRAILERS: dict[str, int] = {"request": 5, "response": 6}
_STREAMED_TAG: dict[str, bytes] = {"request": b"\x1a", "response": b"\x22"}

_NAME = re.compile(r":?[a-z0-9!#$%&'*+.^_`|~-]+")
# Every control character but tab is refused by Envoy; a line break would also split the header.
_CONTROLS = bytes(byte for byte in [*range(0x20), 0x7F] if byte != 0x09)
_TO_SPACE = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))


def _reply(number: int, common: bytes) -> bytes:
    """A reply whose CommonResponse is `common`; present even when empty."""
    return delimited(number, delimited(1, common))


CONTINUE_HEADERS: Mapping[str, bytes] = {d: _reply(n, b"") for d, n in _HEADERS.items()}
"""Headers go on as they are."""
CONTINUE_BODY: Mapping[str, bytes] = {d: _reply(n, b"") for d, n in _BODY.items()}
"""The body goes on as it is. Never in FULL_DUPLEX_STREAMED: 500 at Envoy, end of body at
AgentGateway."""
CONTINUE_TRAILERS: Mapping[str, bytes] = {d: delimited(n, b"") for d, n in _TRAILERS.items()}
"""Trailers go on as they are."""


def sanitise_value(value: bytes) -> bytes:
    """`value` with control characters turned into spaces and no space at either end."""
    return value.translate(_TO_SPACE).strip(b" \t")


def encode_headers_reply(
    direction: Direction,
    *,
    set_headers: Sequence[tuple[str, bytes]] = (),
    remove_headers: Sequence[str] = (),
    clear_route_cache: bool = False,
    mode_override: ModeOverride | None = None,
    dynamic_metadata: Mapping[str, object] | None = None,
    body: bytes | None = None,
) -> bytes:
    """The reply to headers.

    A header in `set_headers` overwrites; one whose value is empty after sanitising is skipped
    (the gateways cannot set it), so remove a header to get rid of it. `body` replaces the whole
    body: the gateway drops what the peer sends, and no body message follows. ValueError for a
    name that HTTP does not allow (see is_header_name).
    """
    mutation = encode_header_mutation(set_headers, remove_headers)
    common = b"" if body is None else b"\x08\x01"  # status: CONTINUE_AND_REPLACE
    if mutation:
        common += delimited(2, mutation)
    if body is not None:
        common += delimited(3, delimited(1, body))
    if clear_route_cache:
        common += b"\x28\x01"
    reply = _reply(_HEADERS[direction], common)
    if dynamic_metadata:
        reply += delimited(8, encode_struct(dynamic_metadata))
    if mode_override is not None:
        reply += delimited(9, encode_mode(mode_override))
    return reply


def encode_header_mutation(
    set_headers: Sequence[tuple[str, bytes]], remove_headers: Sequence[str]
) -> bytes:
    """A HeaderMutation in the portable form; see encode_headers_reply."""
    entries = []
    for name, value in set_headers:
        raw = sanitise_value(value)
        if raw:
            header = delimited(1, _name(name)) + delimited(3, raw)
            entries.append(delimited(1, delimited(1, header)))
    entries += [delimited(2, _name(name)) for name in remove_headers]
    return b"".join(entries)


def is_header_name(name: str) -> bool:
    """True for a name that HTTP allows, pseudo headers included. Any case."""
    return _NAME.fullmatch(name.lower()) is not None


def _name(name: str) -> bytes:
    lowered = name.lower()
    if not _NAME.fullmatch(lowered):
        raise ValueError(f"{name!r} is not the name of a header")
    return lowered.encode("ascii")


def encode_mode(mode: ModeOverride) -> bytes:
    """A ProcessingMode; its zeros are left out, which both gateways read as zeros."""
    return b"".join(
        (
            number_field(1, mode.request_header_mode),
            number_field(2, mode.response_header_mode),
            number_field(3, mode.request_body_mode),
            number_field(4, mode.response_body_mode),
            number_field(5, mode.request_trailer_mode),
            number_field(6, mode.response_trailer_mode),
        )
    )


def encode_streamed_body(
    direction: Direction, data: bytes | memoryview, end_of_stream: bool
) -> bytes:
    """One piece of a body in FULL_DUPLEX_STREAMED. Copies `data` once.

    Four nested messages, each announcing its length: written inside out in one join.
    """
    tail = b"\x10\x01" if end_of_stream else b""
    size = len(data)
    if not size:
        streamed, inner = b"", len(tail)
    else:
        streamed = b"\x0a" + varint(size)
        inner = len(streamed) + size + len(tail)
    prefix = b"\x1a" + varint(inner) + streamed
    mutation = b"\x1a" + varint(inner + len(prefix) - len(streamed))
    common_size = len(mutation) + inner + len(prefix) - len(streamed)
    common = b"\x0a" + varint(common_size)
    outer = _STREAMED_TAG[direction] + varint(len(common) + common_size)
    return b"".join((outer, common, mutation, prefix, data, tail))


def encode_body_reply(
    direction: Direction,
    *,
    body: bytes | None,
    clear: bool = False,
    set_headers: Sequence[tuple[str, bytes]] = (),
    remove_headers: Sequence[str] = (),
    clear_route_cache: bool = False,
) -> bytes:
    """The reply to a body in BUFFERED, BUFFERED_PARTIAL and STREAMED.

    `body` replaces what was sent, None leaves it, `clear` empties it. Whoever changes the length
    in BUFFERED sets content-length here too: both gateways refuse one that does not fit.
    """
    mutation = encode_header_mutation(set_headers, remove_headers)
    common = delimited(2, mutation) if mutation else b""
    if clear:
        common += delimited(3, b"\x10\x01")
    elif body is not None:
        common += delimited(3, delimited(1, body))
    if clear_route_cache:
        common += b"\x28\x01"
    return _reply(_BODY[direction], common)


def encode_trailers_reply(direction: Direction) -> bytes:
    """Trailers go on as they are. Mandatory where trailers came: AgentGateway and Envoy wait."""
    return CONTINUE_TRAILERS[direction]


def encode_immediate(
    status: int,
    *,
    headers: Sequence[tuple[str, bytes]] = (),
    body: str | bytes = b"",
    details: str = "",
) -> bytes:
    """An answer to the client in the upstream's place.

    ValueError for a status outside 200..599: AgentGateway's request task dies of it. Bytes of
    `body` that are not UTF-8 become U+FFFD: it would drop the stream.
    """
    if not 200 <= status <= 599:
        raise ValueError(f"immediate response with status {status}, must be 200 to 599")
    text = body if isinstance(body, str) else body.decode(errors="replace")
    content = delimited(1, b"\x08" + varint(status))
    mutation = encode_header_mutation(headers, ())
    if mutation:
        content += delimited(2, mutation)
    if text:
        content += delimited(3, encode_text(text))
    if details:
        content += delimited(5, encode_text(details))
    return delimited(7, content)


def encode_message_timeout(seconds: float) -> bytes:
    """Asks Envoy for more time for the reply that it waits for.

    Needs max_message_timeout there, works once per state, and has no effect in
    FULL_DUPLEX_STREAMED; AgentGateway drops the message.
    """
    nanoseconds = round(seconds * 1_000_000_000)
    whole, rest = divmod(nanoseconds, 1_000_000_000)
    return delimited(10, number_field(1, whole) + number_field(2, rest))
