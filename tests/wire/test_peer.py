"""The gateway's side: what it writes the decoder reads, what it reads protobuf reads too."""

from __future__ import annotations

import pytest

from srd.wire.encode import encode_headers_reply, encode_immediate, encode_message_timeout
from srd.wire.messages import BodyMode, HeaderMode, ModeOverride, Phase
from srd.wire.peer import Reply, decode_response, encode_request
from srd.wire.primitives import WireError, delimited


def test_trailers_never_carry_an_end_of_stream() -> None:
    plain = encode_request(Phase.REQUEST_TRAILERS, headers=[("t", b"1")], dialect="agentgateway")
    ending = encode_request(
        Phase.REQUEST_TRAILERS, headers=[("t", b"1")], end_of_stream=True, dialect="agentgateway"
    )
    assert plain == ending


def test_a_message_without_a_phase_may_carry_the_rest() -> None:
    data = encode_request(Phase.NONE, observability_mode=True, dialect="agentgateway")
    assert data == b"\x50\x01"


def test_a_reply_is_read_with_all_that_comes_beside_it() -> None:
    override = ModeOverride(
        request_header_mode=HeaderMode.SEND,
        response_header_mode=HeaderMode.SKIP,
        request_body_mode=BodyMode.BUFFERED,
        response_body_mode=BodyMode.NONE,
        request_trailer_mode=HeaderMode.DEFAULT,
        response_trailer_mode=HeaderMode.SKIP,
    )
    data = encode_headers_reply(
        "response",
        set_headers=[("x-a", b"1"), ("x-a", b"2")],
        remove_headers=["x-b"],
        clear_route_cache=True,
        mode_override=override,
        dynamic_metadata={"srd": {"model": "m"}},
    ) + encode_message_timeout(2.25)
    reply = decode_response(data)
    assert reply == Reply(
        kind="response_headers",
        set_headers=(("x-a", b"1"), ("x-a", b"2")),
        remove_headers=("x-b",),
        clear_route_cache=True,
        dynamic_metadata={"srd": {"model": "m"}},
        mode_override=(1, 2, 2, 0, 0, 2),
        override_message_timeout=2.25,
    )
    assert reply.header("x-a") == b"2"
    assert reply.header("x-c") is None


def test_an_immediate_response_is_read() -> None:
    reply = decode_response(
        encode_immediate(403, headers=[("content-type", b"text/plain")], body="no", details="why")
    )
    assert (reply.kind, reply.status, reply.body, reply.details) == ("immediate", 403, b"no", "why")
    assert reply.header("content-type") == b"text/plain"


def test_a_header_given_only_in_value_is_read_as_envoy_does_which_is_empty() -> None:
    header = delimited(1, b"x") + delimited(2, b"text")
    mutation = delimited(2, delimited(1, delimited(1, header)))
    reply = decode_response(delimited(1, delimited(1, mutation)))
    assert reply.set_headers == (("x", b""),)


def test_a_message_without_a_kind_is_a_reply_of_kind_none() -> None:
    assert decode_response(b"") == Reply()


def test_every_cut_of_a_reply_is_refused() -> None:
    whole = encode_headers_reply("request", set_headers=[("x-a", b"1")], clear_route_cache=True)
    for cut in range(1, len(whole)):
        with pytest.raises(WireError):
            decode_response(whole[:cut])
