"""The gateway's side of the wire: requests to bytes, replies from bytes.

Why this file exists: tests, the demo and the benchmarks speak to srd as Envoy or as AgentGateway
does, and the two differ in how they write headers. The daemon never
imports it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from srd.wire.fields import Fields
from srd.wire.messages import Phase, ProtocolConfig
from srd.wire.primitives import decode_utf8, delimited, number_field, to_int32
from srd.wire.struct import decode_struct, encode_map, encode_struct, encode_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Dialect = Literal["envoy", "agentgateway"]

ReplyKind = Literal[
    "none",
    "request_headers",
    "response_headers",
    "request_body",
    "response_body",
    "request_trailers",
    "response_trailers",
    "immediate",
]
_KINDS: tuple[ReplyKind, ...] = (
    "none",
    "request_headers",
    "response_headers",
    "request_body",
    "response_body",
    "request_trailers",
    "response_trailers",
    "immediate",
)


def encode_request(
    phase: Phase,
    *,
    headers: Sequence[tuple[str, bytes]] = (),
    body: bytes = b"",
    end_of_stream: bool = False,
    protocol_config: ProtocolConfig | None = None,
    observability_mode: bool = False,
    attributes: Mapping[str, Mapping[str, object]] | None = None,
    metadata_context: Mapping[str, Mapping[str, object]] | None = None,
    dialect: Dialect = "envoy",
) -> bytes:
    """One message as the gateway `dialect` writes it.

    Pseudo headers are moved to the front (Envoy) or to the back and into `value` (AgentGateway);
    otherwise the order is kept. Envoy sends `metadata_context` in every message, maybe empty.
    """
    message = b""
    if phase in (Phase.REQUEST_BODY, Phase.RESPONSE_BODY):
        content = delimited(1, body) if body else b""
        message = delimited(phase, content + number_field(2, end_of_stream))
    elif phase is not Phase.NONE:
        content = delimited(1, _encode_headers(headers, dialect))
        ending = phase in (Phase.REQUEST_HEADERS, Phase.RESPONSE_HEADERS)
        message = delimited(phase, content + number_field(3, end_of_stream and ending))
    if metadata_context is not None or dialect == "envoy":
        message += delimited(8, _encode_structs(1, metadata_context or {}))
    message += _encode_structs(9, attributes or {})
    message += number_field(10, observability_mode)
    if protocol_config is not None:
        message += delimited(11, _encode_config(protocol_config))
    return message


def _encode_structs(number: int, values: Mapping[str, Mapping[str, object]]) -> bytes:
    return encode_map(number, {key: encode_struct(value) for key, value in values.items()})


def _encode_config(config: ProtocolConfig) -> bytes:
    return (
        number_field(1, config.request_body_mode)
        + number_field(2, config.response_body_mode)
        + number_field(3, config.send_body_without_waiting)
    )


def _encode_headers(headers: Sequence[tuple[str, bytes]], dialect: Dialect) -> bytes:
    pseudo_first = dialect == "envoy"
    ordered = sorted(headers, key=lambda header: header[0].startswith(":") != pseudo_first)
    entries = []
    for name, value in ordered:
        number = 2 if name.startswith(":") and not pseudo_first else 3
        written = delimited(number, value) if value else b""
        entries.append(delimited(1, delimited(1, encode_text(name)) + written))
    return b"".join(entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One message from the processor, as a gateway reads it.

    `body` is what the body becomes (None: no body mutation; b"" also for clear_body);
    `streamed` tells a streamed_response from a whole body. `override_message_timeout` is in
    seconds. `mode_override` holds the six numbers in the order of ProcessingMode.
    """

    kind: ReplyKind = "none"
    status: int = 0
    set_headers: tuple[tuple[str, bytes], ...] = ()
    remove_headers: tuple[str, ...] = ()
    body: bytes | None = None
    cleared: bool = False
    streamed: bool = False
    end_of_stream: bool = False
    clear_route_cache: bool = False
    details: str = ""
    dynamic_metadata: dict[str, object] = field(default_factory=dict)
    mode_override: tuple[int, ...] | None = None
    override_message_timeout: float | None = None

    def header(self, name: str) -> bytes | None:
        """The value that the last entry of this name sets."""
        return dict(self.set_headers).get(name)


def decode_response(data: bytes) -> Reply:
    """The reply in `data`; WireError when it is not well-formed."""
    message = Fields(data)
    kinds = [number for number in message.order if 1 <= number <= 7]
    kind = _KINDS[kinds[-1]] if kinds else "none"
    content = message.message(kinds[-1]) if kinds else None
    values: dict[str, object] = {"kind": kind}
    if content is not None:
        if kind == "immediate":
            values |= _immediate(content)
        elif kind.endswith("trailers"):
            values |= _header_mutation(content.message(1))
        else:
            values |= _common(content.message(1))
    metadata = message.raw(8)
    if metadata is not None:
        values["dynamic_metadata"] = decode_struct(metadata)
    mode = message.message(9)
    if mode is not None:
        values["mode_override"] = tuple(to_int32(mode.number(n)) for n in range(1, 7))
    timeout = message.message(10)
    if timeout is not None:
        values["override_message_timeout"] = timeout.number(1) + timeout.number(2) / 1e9
    return Reply(**values)  # type: ignore[arg-type]


def _common(common: Fields | None) -> dict[str, object]:
    if common is None:
        return {}
    values: dict[str, object] = {
        "status": common.number(1),
        "clear_route_cache": bool(common.number(5)),
        **_header_mutation(common.message(2)),
    }
    mutation = common.message(3)
    if mutation is None or not mutation.order:
        return values
    last = mutation.order[-1]
    if last == 1:
        return values | {"body": mutation.raw(1)}
    if last == 2:
        return values | {"body": b"", "cleared": True}
    streamed = mutation.message(3) or Fields(b"")
    return values | {
        "body": streamed.raw(1) or b"",
        "streamed": True,
        "end_of_stream": bool(streamed.number(2)),
    }


def _immediate(content: Fields) -> dict[str, object]:
    status = content.message(1)
    return {
        "status": to_int32(status.number(1)) if status else 0,
        "body": content.raw(3) or b"",
        "details": decode_utf8(content.raw(5) or b"", "details"),
        **_header_mutation(content.message(2)),
    }


def _header_mutation(mutation: Fields | None) -> dict[str, object]:
    if mutation is None:
        return {}
    set_headers = []
    for option in mutation.many(1):
        header = Fields(option).message(1) or Fields(b"")
        name = decode_utf8(header.raw(1) or b"", "header name")
        # Envoy reads raw_value alone here: so does this side.
        set_headers.append((name, header.raw(3) or b""))
    removed = tuple(decode_utf8(name, "header name") for name in mutation.many(2))
    return {"set_headers": tuple(set_headers), "remove_headers": removed}
