"""Requests: what the decoder makes of them, and that protobuf itself agrees."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from srd.wire._pb.envoy.service.ext_proc.v3 import ProcessingRequest
from srd.wire.decode import decode_request
from srd.wire.messages import BodyMode, Phase, ProtocolConfig, Request
from srd.wire.peer import encode_request
from srd.wire.primitives import WireError, delimited, varint

if TYPE_CHECKING:
    from conftest import Oracle

FDS = ProtocolConfig(BodyMode.FULL_DUPLEX_STREAMED, BodyMode.NONE)

quick = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# Random messages

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
names = st.text(st.sampled_from(":-abcXYZ019é"), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
namespaces = st.none() | st.dictionaries(
    names, st.dictionaries(texts, values, max_size=3), max_size=2
)
requests = st.builds(
    encode_request,
    st.sampled_from(Phase),
    headers=st.lists(st.tuples(names, st.binary(max_size=200)), max_size=8),
    body=st.binary(max_size=600),
    end_of_stream=st.booleans(),
    protocol_config=st.none()
    | st.builds(ProtocolConfig, st.integers(0, 7), st.integers(-2, 7), st.booleans()),
    observability_mode=st.booleans(),
    attributes=namespaces,
    metadata_context=namespaces,
    dialect=st.just("envoy"),
)
"""Well-formed messages. AgentGateway's dialect writes text where these write bytes."""

field_numbers = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 99])


def _fields(payloads: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Fields of plausible numbers in any order, with any wire type that protobuf knows."""
    numbers = st.integers(0, 2**64 - 1) | st.integers(0, 3)
    field = st.one_of(
        st.builds(delimited, field_numbers, payloads),
        st.builds(lambda n, v: varint(n << 3) + varint(v), field_numbers, numbers),
        st.builds(
            lambda n, v: varint(n << 3 | 1) + v, field_numbers, st.binary(min_size=8, max_size=8)
        ),
        st.builds(
            lambda n, v: varint(n << 3 | 5) + v, field_numbers, st.binary(min_size=4, max_size=4)
        ),
        st.builds(
            lambda n, v: varint(n << 3 | 3) + v + varint(n << 3 | 4), field_numbers, payloads
        ),
    )
    return st.lists(field, max_size=5).map(b"".join)


nonsense = st.recursive(st.binary(max_size=6) | texts.map(str.encode), _fields, max_leaves=12)
"""Trees of fields that mean nothing in particular, about half of them malformed."""


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message with one wound: cut, a byte changed, bytes put in, or another message joined."""
    data = draw(requests)
    place = draw(st.integers(0, max(len(data) - 1, 0)))
    kind = draw(st.sampled_from(["cut", "change", "insert", "join"]))
    if kind == "cut":
        return data[:place]
    if kind == "change":
        return data[:place] + bytes([draw(st.integers(0, 255))]) + data[place + 1 :]
    if kind == "insert":
        return data[:place] + draw(st.binary(max_size=4)) + data[place:]
    return data + draw(requests)


# What the oracle says, in the oracle's terms


def _plain(value: object) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return repr(value) if isinstance(value, float) else value


def meaning(request: Request) -> dict[str, Any]:
    config = request.protocol_config
    return {
        "phase": int(request.phase),
        "headers": [[name, value.hex()] for name, value in request.headers],
        "body": request.body.hex(),
        "end_of_stream": request.end_of_stream,
        "protocol_config": config
        and [config.request_body_mode, config.response_body_mode, config.send_body_without_waiting],
        "observability_mode": request.observability_mode,
        "attributes": _plain(request.attributes or {}),
        "metadata_context": _plain(request.metadata_context),
    }


def decoded(data: bytes) -> dict[str, Any] | None:
    try:
        return meaning(decode_request(data))
    except WireError:
        return None


def judge(oracle: Oracle, schema: str, data: bytes) -> None:
    """Ours and protobuf's agree about `data`.

    Envoy's schema has strings and messages where ours has unknown fields, so it may refuse what
    we accept; never the other way round. What the maps hold is compared for well-formed messages
    only: upb, against the specification, drops a map entry in which it finds an unknown field.
    """
    expected, got = oracle.ask(schema, "request", data), decoded(data)
    if schema == "slim":
        assert (got is None) == (expected is None)
    if expected is not None:
        assert got is not None
        maps = ("attributes", "metadata_context")
        assert [got[k] for k in got if k not in maps] == [expected[k] for k in got if k not in maps]


@quick
@given(data=requests)
def test_well_formed_messages_mean_the_same_to_protobuf(
    oracle: Oracle, schema: str, data: bytes
) -> None:
    assert oracle.ask(schema, "request", data) == decoded(data) is not None


@quick
@given(data=damaged())
@example(data=b"\x12\x02\n\x00Z\x0b\x10" + b"\xff" * 9 + b"\x02")  # 66 bits
def test_damaged_messages_are_refused_or_read_as_protobuf_does(
    oracle: Oracle, schema: str, data: bytes
) -> None:
    judge(oracle, schema, data)


@quick
@given(data=_fields(nonsense))
def test_any_fields_in_any_order_are_refused_or_read_as_protobuf_does(
    oracle: Oracle, schema: str, data: bytes
) -> None:
    judge(oracle, schema, data)


@quick
@given(data=st.binary(max_size=40))
def test_any_bytes_are_refused_or_read_as_protobuf_does(
    oracle: Oracle, schema: str, data: bytes
) -> None:
    judge(oracle, schema, data)


@quick
@given(data=requests)
def test_well_formed_messages_mean_the_same_to_betterproto2(data: bytes) -> None:
    ours, theirs = decode_request(data), ProcessingRequest.parse(data)
    member = ours.phase.name.lower() if ours.phase else None
    content = getattr(theirs, member) if member else None
    assert (content is not None) == bool(ours.phase)
    if ours.phase in (Phase.REQUEST_BODY, Phase.RESPONSE_BODY):
        assert (content.body, content.end_of_stream) == (ours.body, ours.end_of_stream)
    elif ours.phase:
        trailers = ours.phase in (Phase.REQUEST_TRAILERS, Phase.RESPONSE_TRAILERS)
        header_map = content.trailers if trailers else content.headers
        pairs = [(h.key.lower(), h.raw_value or h.value.encode()) for h in header_map.headers]
        assert tuple(pairs) == ours.headers
    assert theirs.observability_mode == ours.observability_mode
    assert set(theirs.attributes) == set(ours.attributes or {})


# Truncation, in particular


def test_every_cut_of_a_body_message_is_refused_where_betterproto2_shortens_it() -> None:
    whole = encode_request(Phase.REQUEST_BODY, body=b"x" * 1000, dialect="agentgateway")
    assert decode_request(whole).body == b"x" * 1000
    shortened = 0
    for cut in range(1, len(whole)):
        with pytest.raises(WireError):
            decode_request(whole[:cut])
        try:
            shortened += len(ProcessingRequest.parse(whole[:cut]).request_body.body) < 1000
        except Exception:
            continue
    assert shortened > 900, "the reason for this codec is gone"


def test_every_cut_of_a_rich_message_is_refused_or_read_as_protobuf_does(oracle: Oracle) -> None:
    whole = encode_request(
        Phase.REQUEST_HEADERS,
        headers=[(":path", b"/"), ("x-long", b"v" * 300), ("x", b"")],
        end_of_stream=True,
        protocol_config=FDS,
        attributes={"ns": {"a": [1, None, {"b": "c"}]}},
        metadata_context={"m": {"t": True}},
    )
    for cut in range(len(whole) + 1):
        judge(oracle, "slim", whole[:cut])


# Plain examples


def test_envoy_headers_are_read_in_order_with_duplicates_and_lower_case_names() -> None:
    data = encode_request(
        Phase.REQUEST_HEADERS,
        headers=[(":path", b"/v1"), ("X-Twice", b"1"), ("x-twice", b"2"), ("bin", b"\xff")],
        protocol_config=FDS,
    )
    request = decode_request(data)
    assert request.headers == (
        (":path", b"/v1"),
        ("x-twice", b"1"),
        ("x-twice", b"2"),
        ("bin", b"\xff"),
    )
    assert request.protocol_config == FDS
    assert request.metadata_context == {}, "Envoy sends it, empty"
    assert request.attributes is None


def test_agentgateway_writes_pseudo_headers_last_and_as_text() -> None:
    data = encode_request(
        Phase.REQUEST_HEADERS,
        headers=[(":path", b"/v1"), ("a", b"b")],
        dialect="agentgateway",
    )
    assert b"\x12\x03/v1" in data, "field 2 is `value`"
    request = decode_request(data)
    assert request.headers == (("a", b"b"), (":path", b"/v1"))
    assert request.metadata_context is None


def test_a_memoryview_is_accepted_and_the_body_does_not_depend_on_it() -> None:
    buffer = bytearray(encode_request(Phase.RESPONSE_BODY, body=b"abc", end_of_stream=True))
    request = decode_request(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert (request.phase, request.body, request.end_of_stream) == (
        Phase.RESPONSE_BODY,
        b"abc",
        True,
    )


def test_an_empty_message_has_no_phase() -> None:
    assert decode_request(b"") == Request(Phase.NONE)


def test_a_mode_of_a_newer_gateway_is_kept_as_a_number() -> None:
    data = encode_request(Phase.REQUEST_HEADERS, protocol_config=ProtocolConfig(9, -1))
    assert decode_request(data).protocol_config == ProtocolConfig(9, -1, False)


@pytest.mark.parametrize("depth", [30, 200, 5000])
def test_deep_nesting_never_exhausts_the_interpreter(depth: int) -> None:
    value = b""
    for _ in range(depth):
        value = delimited(6, delimited(1, value))  # a list in a list in a list
    data = delimited(9, delimited(2, delimited(1, delimited(2, value))))
    if depth < 40:
        assert decode_request(data).attributes is not None
    else:
        with pytest.raises(WireError, match="nested"):
            decode_request(data)


def test_deep_groups_never_exhaust_the_interpreter() -> None:
    with pytest.raises(WireError):
        decode_request(b"\xfb\x06" * 5000 + b"\xfc\x06" * 5000)


def test_hostile_sizes_cost_nothing_but_an_error() -> None:
    for announced in (2**31 - 1, 2**32, 2**63, 2**64 - 1):
        with pytest.raises(WireError):
            decode_request(b"\x22" + varint(announced) + b"abc")


def test_repr_names_headers_and_never_shows_their_values() -> None:
    data = encode_request(
        Phase.REQUEST_HEADERS, headers=[("authorization", b"secret")], end_of_stream=True
    )
    text = repr(decode_request(data))
    assert "authorization" in text
    assert "end of stream" in text
    assert "secret" not in text


def test_random_headers_of_every_length_take_the_short_and_the_long_way_alike() -> None:
    """The fast shape ends where a length needs two bytes: every size around that border."""
    random.seed(7)
    for name_size in (0, 1, 60, 120, 126, 127, 128, 300):
        for value_size in (0, 1, 2, 60, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 16384):
            header = ("n" * name_size, random.randbytes(value_size))
            data = encode_request(Phase.REQUEST_HEADERS, headers=[header, ("after", b"1")])
            assert decode_request(data).headers == (header, ("after", b"1"))
