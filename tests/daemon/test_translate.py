"""Between the wire and the exchange: what is said on one side is what is meant on the other."""

from __future__ import annotations

import logging

import pytest

from srd.daemon.translate import encode, event_of
from srd.exchange.commands import Command, ReplyBody, ReplyHeaders
from srd.exchange.events import Headers, HeadersArrived
from srd.wire.codec import decode_request
from srd.wire.messages import Phase
from srd.wire.peer import Dialect, Reply, decode_response, encode_request

DIALECTS: tuple[Dialect, ...] = ("envoy", "agentgateway")


def reply(command: Command, extra: Headers = ()) -> Reply:
    message = encode(command, extra)
    assert message is not None
    return decode_response(message)


def both(
    set_headers: Headers = (), remove: tuple[str, ...] = (), *, clear: bool = False
) -> list[Reply]:
    """The same mutation on the answer to headers and on the answer to a body."""
    return [
        reply(ReplyHeaders("request", set_headers, remove, clear)),
        reply(ReplyBody("request", b"{}", set_headers, remove, clear)),
    ]


def test_the_selected_model_is_set_before_anything_else() -> None:
    own: Headers = (("x-a", b"1"), ("x-selected-model", b"math"), ("x-b", b"2"))
    for found in both(own, ("x-c",)):
        assert [name for name, _ in found.set_headers] == ["x-selected-model", "x-a", "x-b"]
        assert found.remove_headers == ("x-c",)


def test_what_the_driver_adds_is_set_as_well() -> None:
    found = reply(ReplyHeaders("request", (("x-a", b"1"),)), (("traceparent", b"00-1"),))
    assert found.set_headers == (("x-a", b"1"), ("traceparent", b"00-1"))


def test_a_hundred_and_more_forged_headers_change_nothing_of_the_decision() -> None:
    forged = tuple(f"x-vsr-selected-f{number}" for number in range(300))
    own: Headers = (("x-selected-model", b"base-model"),)
    for found in both(own, (*forged, "x-selected-model"), clear=True):
        assert found.set_headers == own
        assert found.remove_headers == forged
        assert found.clear_route_cache


@pytest.mark.parametrize("bad", ["a b", "", "x-é", "a\r\nb", "x" * 5000 + " "])
def test_a_header_that_cannot_be_is_left_out_alone(
    bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    own: Headers = ((bad, b"1"), ("x-selected-model", b"math"), ("x-a", b"1"))
    for found in both(own, (bad, "x-b"), clear=True):
        assert found.set_headers == (("x-selected-model", b"math"), ("x-a", b"1"))
        assert found.remove_headers == ("x-b",)
        assert found.clear_route_cache
    assert found.body == b"{}"
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert all(len(record.getMessage()) < 200 for record in caplog.records)


def test_nothing_is_removed_twice_or_although_it_is_set() -> None:
    for found in both((("X-A", b"1"),), ("x-b", "x-a", "x-b", "X-B")):
        assert found.remove_headers == ("x-b",)


@pytest.mark.parametrize("empty", [b"", b" ", b"\r\n", b"\x00"])
def test_a_value_that_sets_nothing_still_removes_what_the_client_sent(empty: bytes) -> None:
    for found in both((("x-selected-model", empty),), ("x-selected-model",)):
        assert found.set_headers == ()
        assert found.remove_headers == ("x-selected-model",)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("attributes", "address"),
    [
        (None, ""),
        ({}, ""),
        ({"envoy.filters.http.ext_proc": {}}, ""),
        ({"other": {"source.address": "127.0.0.1:1"}}, ""),
        ({"envoy.filters.http.ext_proc": {"source.address": 7}}, ""),
        ({"envoy.filters.http.ext_proc": {"source.address": {"a": "b"}}}, ""),
        ({"envoy.filters.http.ext_proc": {"source.address": "10.0.0.1:5"}}, "10.0.0.1:5"),
        ({"envoy.filters.http.ext_proc": {"source.address": "::1", "x": "y"}}, "::1"),
    ],
)
def test_the_clients_address_is_what_the_gateway_was_told_to_tell(
    dialect: Dialect, attributes: dict[str, dict[str, object]] | None, address: str
) -> None:
    message = encode_request(
        Phase.REQUEST_HEADERS,
        headers=((":path", b"/"),),
        end_of_stream=True,
        attributes=attributes,
        dialect=dialect,
    )
    wanted = HeadersArrived("request", ((":path", b"/"),), True, address)
    assert event_of(decode_request(message)) == wanted
