"""The model of the gateway takes what the real ones take, and nothing else."""

from __future__ import annotations

import pytest
from product.gateway import Gateway, Punished

from srd.wire.peer import Reply

HEADERS = Reply(kind="request_headers")


def piece(data, *, end=False):
    return Reply(kind="request_body", body=data, streamed=True, end_of_stream=end)


def answer(data=None, **fields):
    return Reply(kind="request_body", body=data, **fields)


def gateway(mode, dialect="envoy", **headers):
    return Gateway(mode, dialect, {k.replace("_", "-"): v for k, v in headers.items()})


def test_duplex_takes_any_number_of_pieces_behind_the_header_reply():
    one = gateway("duplex")
    one.sends(b"abc", end=True)
    for reply in (HEADERS, piece(b"a"), piece(b""), piece(b"bcd", end=True)):
        one.takes(reply)
    assert (bytes(one.left), one.clean) == (b"abcd", True)


@pytest.mark.parametrize(
    "replies",
    [
        [piece(b"a")],
        [HEADERS, HEADERS],
        [HEADERS, answer(b"a")],
        [HEADERS, piece(b"a", end=True), piece(b"b")],
        [HEADERS, piece(b"a" * 70_000)],
        [HEADERS, Reply(kind="immediate", status=400, body=b"")],
        [Reply(kind="immediate", status=400, body=b""), HEADERS],
        [HEADERS, Reply(kind="request_trailers")],
        [Reply(kind="request_headers", remove_headers=("x",) * 101)],
        [Reply(kind="request_headers", set_headers=(("x", b""),))],
    ],
)
def test_duplex_punishes(replies):
    one = gateway("duplex")
    one.sends(b"abc", end=True)
    *before, last = replies
    for reply in before:
        one.takes(reply)
    with pytest.raises(Punished):
        one.takes(last)


def test_trailers_are_answered_once_and_not_by_an_end():
    one = gateway("duplex")
    one.sends(b"abc", end=False)
    one.sends_trailers()
    one.takes(HEADERS)
    with pytest.raises(Punished):
        one.takes(piece(b"abc", end=True))
    one.takes(piece(b"abc"))
    assert not one.clean
    one.takes(Reply(kind="request_trailers"))
    assert one.clean


def test_streamed_is_answered_one_for_one():
    one = gateway("streamed", content_length=b"4")
    one.takes(HEADERS)
    one.sends(b"ab", end=False)
    one.sends(b"cd", end=True)
    one.takes(answer(b""))
    one.ends()
    assert not one.clean
    one.takes(answer())
    one.ends()
    assert (bytes(one.left), one.clean, one.headers) == (b"cd", True, {})
    with pytest.raises(Punished):
        one.takes(answer())


def test_buffered_checks_the_length_of_a_new_body():
    for length in (b"3", b"4"):
        one = gateway("buffered", content_length=b"3")
        one.takes(HEADERS)
        one.sends(b"abc", end=True)
        new = answer(b"abcd", set_headers=(("content-length", length),))
        if length == b"3":
            with pytest.raises(Punished):
                one.takes(new)
        else:
            one.takes(new)
            one.ends()
            assert one.clean


def test_what_lies_behind_a_prefix_passes_by_itself():
    one = gateway("partial", content_length=b"5")
    one.takes(HEADERS)
    one.sends(b"ab", end=False)
    one.takes(answer(b"X"))
    one.ends(b"cde")
    assert (bytes(one.left), one.clean, one.headers) == (b"Xcde", True, {})


def test_only_envoy_keeps_a_length_in_full_duplex():
    kept = {}
    for dialect in ("envoy", "agentgateway"):
        one = gateway("duplex", dialect, content_length=b"3")
        one.takes(HEADERS)
        kept[dialect] = "content-length" in one.headers
    assert kept == {"envoy": True, "agentgateway": False}


def test_an_empty_message_behind_a_whole_body_needs_no_answer():
    one = gateway("buffered", "agentgateway")
    one.takes(HEADERS)
    one.sends(b"abc", end=False)
    one.sends(b"", end=True, optional=True)
    one.takes(answer())
    one.ends()
    assert one.clean
