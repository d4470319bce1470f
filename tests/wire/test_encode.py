"""Replies: the bytes that srd sends mean the same to protobuf, and please both gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srd.wire import encode
from srd.wire._pb.envoy.service.ext_proc.v3 import ProcessingResponse
from srd.wire.messages import BodyMode, HeaderMode, ModeOverride
from srd.wire.peer import decode_response

if TYPE_CHECKING:
    from conftest import Oracle

quick = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

directions = st.sampled_from(["request", "response"])
sizes = st.sampled_from([0, 1, 100, 115, 120, 125, 127, 128, 129, 16_370, 16_384, 62_000])
tokens = st.text(st.sampled_from("abcXYZ019-_"), min_size=1, max_size=20)
pairs = st.lists(st.tuples(tokens, st.binary(max_size=40)), max_size=6)
modes = st.builds(
    ModeOverride,
    request_header_mode=st.sampled_from(HeaderMode),
    response_header_mode=st.sampled_from(HeaderMode),
    request_body_mode=st.sampled_from(BodyMode),
    response_body_mode=st.sampled_from(BodyMode),
    request_trailer_mode=st.sampled_from(HeaderMode),
    response_trailer_mode=st.sampled_from(HeaderMode),
)
metadata = st.dictionaries(
    st.text(max_size=5), st.integers(-5, 5) | st.text(max_size=5), max_size=3
)


def written(headers: list[tuple[str, bytes]]) -> list[list[Any]]:
    """The entries that the oracle must find: raw_value alone, sanitised, none of them empty."""
    clean = [(name.lower(), encode.sanitise_value(value)) for name, value in headers]
    return [[name, "", value.hex(), False] for name, value in clean if value]


@quick
@given(direction=directions, size=sizes, end=st.booleans())
def test_a_streamed_body_means_the_same_to_protobuf(
    oracle: Oracle, schema: str, direction: Any, size: int, end: bool
) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    reply = encode.encode_streamed_body(direction, data, end)
    found = oracle.ask(schema, "response", reply)
    assert found is not None
    assert (found["kind"], found["mutation"]) == (f"{direction}_body", "streamed_response")
    assert (found["body"], found["end_of_stream"]) == (data.hex(), end)
    assert encode.encode_streamed_body(direction, memoryview(data), end) == reply


@quick
@given(
    direction=directions,
    headers=pairs,
    removed=st.lists(tokens, max_size=4),
    clear=st.booleans(),
    override=st.none() | modes,
    facts=st.none() | metadata,
    body=st.none() | st.binary(max_size=200),
)
def test_a_headers_reply_means_the_same_to_protobuf(
    oracle: Oracle,
    schema: str,
    direction: Any,
    headers: list[tuple[str, bytes]],
    removed: list[str],
    clear: bool,
    override: ModeOverride | None,
    facts: dict[str, object] | None,
    body: bytes | None,
) -> None:
    reply = encode.encode_headers_reply(
        direction,
        set_headers=headers,
        remove_headers=removed,
        clear_route_cache=clear,
        mode_override=override,
        dynamic_metadata=facts,
        body=body,
    )
    found = oracle.ask(schema, "response", reply)
    assert found is not None
    assert found["kind"] == f"{direction}_headers"
    assert found["set_headers"] == written(headers)
    assert found["remove_headers"] == [name.lower() for name in removed]
    assert found["clear_route_cache"] == clear
    # CONTINUE_AND_REPLACE is what makes Envoy look at a body in a reply to headers.
    assert found["status"] == (0 if body is None else 1)
    assert found["mutation"] == (None if body is None else "body")
    assert found["body"] == (body or b"").hex()
    assert found["dynamic_metadata"].keys() == (facts or {}).keys()
    assert found["mode_override"] == (
        None
        if override is None
        else [
            override.request_header_mode,
            override.response_header_mode,
            override.request_body_mode,
            override.response_body_mode,
            override.request_trailer_mode,
            override.response_trailer_mode,
        ]
    )


@quick
@given(
    direction=directions,
    body=st.none() | st.binary(max_size=200),
    clear=st.booleans(),
    headers=pairs,
    route=st.booleans(),
)
def test_a_body_reply_means_the_same_to_protobuf(
    oracle: Oracle,
    schema: str,
    direction: Any,
    body: bytes | None,
    clear: bool,
    headers: list[tuple[str, bytes]],
    route: bool,
) -> None:
    reply = encode.encode_body_reply(
        direction, body=body, clear=clear, set_headers=headers, clear_route_cache=route
    )
    found = oracle.ask(schema, "response", reply)
    assert found is not None
    assert (found["kind"], found["status"]) == (f"{direction}_body", 0)
    kept = None if body is None else "body"
    assert found["mutation"] == ("clear_body" if clear else kept)
    assert found["body"] == ("" if clear else (body or b"").hex())
    assert found["set_headers"] == written(headers)
    assert found["clear_route_cache"] == route


@quick
@given(
    status=st.integers(200, 599),
    headers=pairs,
    body=st.text(max_size=50) | st.binary(max_size=50),
    details=st.text(max_size=20),
)
def test_an_immediate_response_means_the_same_to_protobuf_and_is_always_utf8(
    oracle: Oracle,
    schema: str,
    status: int,
    headers: list[tuple[str, bytes]],
    body: str | bytes,
    details: str,
) -> None:
    reply = encode.encode_immediate(status, headers=headers, body=body, details=details)
    found = oracle.ask(schema, "response", reply)
    assert found is not None
    assert (found["kind"], found["status"]) == ("immediate_response", status)
    assert found["details"] == details.encode(errors="replace").decode()
    text = bytes.fromhex(found["body"]).decode()
    if isinstance(body, bytes):
        assert text == body.decode(errors="replace")
    else:
        assert text == body.encode(errors="replace").decode()
    assert found["set_headers"] == written(headers)


@pytest.mark.parametrize("direction", ["request", "response"])
def test_constant_replies_are_present_and_empty(
    oracle: Oracle, schema: str, direction: Any
) -> None:
    for table, kind in (
        (encode.CONTINUE_HEADERS, "headers"),
        (encode.CONTINUE_BODY, "body"),
        (encode.CONTINUE_TRAILERS, "trailers"),
    ):
        found = oracle.ask(schema, "response", table[direction])
        assert found is not None
        assert found["kind"] == f"{direction}_{kind}"
        assert found["set_headers"] == found["remove_headers"] == []
        assert found.get("mutation") is None
    assert encode.encode_headers_reply(direction) == encode.CONTINUE_HEADERS[direction]
    assert encode.encode_body_reply(direction, body=None) == encode.CONTINUE_BODY[direction]
    assert encode.encode_trailers_reply(direction) == encode.CONTINUE_TRAILERS[direction]


@pytest.mark.parametrize(("seconds", "parts"), [(0.0, [0, 0]), (1.5, [1, 500_000_000])])
def test_a_message_timeout_is_a_duration(
    oracle: Oracle, schema: str, seconds: float, parts: list[int]
) -> None:
    found = oracle.ask(schema, "response", encode.encode_message_timeout(seconds))
    assert found is not None
    assert found["timeout"] == parts


def test_betterproto2_reads_our_replies() -> None:
    reply = ProcessingResponse.parse(
        encode.encode_headers_reply("request", set_headers=[("x-a", b"1")], clear_route_cache=True)
    )
    assert reply.request_headers is not None
    assert reply.request_headers.response is not None
    assert reply.request_headers.response.clear_route_cache
    streamed = ProcessingResponse.parse(encode.encode_streamed_body("response", b"abc", True))
    assert streamed.response_body is not None
    assert streamed.response_body.response is not None
    mutation = streamed.response_body.response.body_mutation
    assert mutation is not None
    assert mutation.streamed_response is not None
    assert mutation.streamed_response.body == b"abc"


# The portable form


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        (b"a\r\nset-cookie: x", b"a  set-cookie: x"),
        (b"nul\x00del\x7f", b"nul del"),
        (b"\ttab\tinside\t", b"tab\tinside"),
        (b"  ", b""),
        ("caf\u00e9".encode(), "caf\u00e9".encode()),
    ],
)
def test_a_header_value_cannot_break_out_of_its_header(value: bytes, clean: bytes) -> None:
    assert encode.sanitise_value(value) == clean
    reply = decode_response(encode.encode_headers_reply("request", set_headers=[("x", value)]))
    assert reply.set_headers == ((("x", clean),) if clean else ())


@pytest.mark.parametrize("name", ["", "a b", "a\r\nb", "caf\u00e9", "a:b", ":"])
def test_a_name_that_http_does_not_allow_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a header"):
        encode.encode_headers_reply("request", set_headers=[(name, b"1")])
    with pytest.raises(ValueError, match="not the name of a header"):
        encode.encode_headers_reply("request", remove_headers=[name])


def test_names_are_lowered_and_a_pseudo_header_may_be_set() -> None:
    reply = decode_response(
        encode.encode_headers_reply(
            "request", set_headers=[(":path", b"/"), ("X-A", b"1")], remove_headers=["X-B"]
        )
    )
    assert reply.set_headers == ((":path", b"/"), ("x-a", b"1"))
    assert reply.remove_headers == ("x-b",)


def test_no_entry_is_left_out_however_many_there_are() -> None:
    many = [(f"x-{number}", b"1") for number in range(150)]
    gone = [f"y-{number}" for number in range(150)]
    reply = decode_response(
        encode.encode_headers_reply("request", set_headers=many, remove_headers=gone)
    )
    assert list(reply.set_headers) == many
    assert list(reply.remove_headers) == gone


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("x-a", True), ("X-A", True), (":path", True), ("a b", False), ("", False), ("x-é", False)],
)
def test_a_name_that_would_be_refused_can_be_told_before(name: str, allowed: bool) -> None:
    assert encode.is_header_name(name) == allowed
    if not allowed:
        with pytest.raises(ValueError, match="not the name of a header"):
            encode.encode_headers_reply("request", remove_headers=[name])


@pytest.mark.parametrize("status", [0, 100, 199, 600, -1])
def test_a_status_that_would_kill_agentgateway_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="200 to 599"):
        encode.encode_immediate(status)


def test_an_empty_replacement_and_no_replacement_are_different_replies() -> None:
    emptied = decode_response(encode.encode_body_reply("request", body=b""))
    untouched = decode_response(encode.encode_body_reply("request", body=None))
    cleared = decode_response(encode.encode_body_reply("request", body=None, clear=True))
    assert (emptied.body, emptied.cleared) == (b"", False)
    assert untouched.body is None
    assert (cleared.body, cleared.cleared) == (b"", True)
