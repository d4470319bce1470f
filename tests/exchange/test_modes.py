"""Each body mode's replies alone: what is answered, when, and what rides on it."""

from __future__ import annotations

import pytest
from playbook import headers

from srd.body.body import Leaving
from srd.body.rewrite import Rewrite
from srd.exchange.commands import ReplyBody, ReplyChunk, ReplyHeaders, ReplyTrailers
from srd.exchange.errors import ExchangeBug
from srd.exchange.events import BodyMode
from srd.exchange.facts import read_headers
from srd.exchange.modes import CHUNK_BYTES, DIGESTS, Buffered, Streamed, chunks, reply_for
from srd.plugins.plan import Plan

DUPLEX, STREAMED = BodyMode.FULL_DUPLEX_STREAMED, BodyMode.STREAMED
BUFFERED, PARTIAL = BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL
PLAN = Plan(
    rewrite=Rewrite(model="m"),
    set_headers=(("x-selected-model", b"m"), ("x-tier", b"gold")),
    add_headers=(("x-team", b"blue"), ("x-team", b"red"), ("x-new", b"1")),
    remove_headers=("x-secret", "x-absent"),
)
FIELDS = {
    "content-length": "100",
    "content-encoding": "gzip",
    "content-digest": "sha-256=:x:",
    "content-md5": "x",
    "x-team": "green",
    "x-secret": "1",
    "x-selected-model": "evil",
    "x-vsr-selected-decision": "evil",
    "x-user-openai-key": "sk",
}


def facts(*, agentgateway: bool = False, without: tuple[str, ...] = ()):
    extra = {name: value for name, value in FIELDS.items() if name not in without}
    raw = headers(extra=extra).headers
    return read_headers(raw[::-1] if agentgateway else raw)


def leaving(data: bytes = b"out", *, packed=False, edited=True, final=True) -> Leaving:
    return Leaving(data, packed, edited, final)


def commit(reply, about, what=PLAN, left=None, *, clear=True):
    return reply.commit(about, what, left or leaving(), clear_route_cache=clear)


def spoken(command: ReplyHeaders | ReplyBody) -> tuple[dict[str, bytes], set[str]]:
    names = [name for name, _ in command.set_headers]
    assert len(names) == len(set(names))
    assert not set(names) & set(command.remove_headers)
    return dict(command.set_headers), set(command.remove_headers)


# -- what every mode says of headers ---------------------------------------------------------------


@pytest.mark.parametrize("mode", BodyMode)
def test_headers_are_answered_once_and_cleaned_on_every_path(mode):
    for ask in ("pass_headers", "tail_headers"):
        reply = reply_for(mode)
        (command,) = getattr(reply, ask)(facts())
        said, gone = spoken(command)
        assert said == {}
        assert {"x-selected-model", "x-vsr-selected-decision", "x-user-openai-key"} <= gone
        assert command.clear_route_cache  # the client may have chosen a route by them
        assert getattr(reply, ask)(facts()) == []
    clean = facts(without=("x-selected-model", "x-vsr-selected-decision"))
    (command,) = reply_for(mode).pass_headers(clean)
    assert not command.clear_route_cache
    assert command.remove_headers == ("x-user-openai-key",)


@pytest.mark.parametrize("mode", BodyMode)
def test_a_header_phase_that_is_skipped_is_never_answered(mode):
    reply = reply_for(mode)
    reply.no_headers()
    for ask in (reply.pass_headers, reply.hold_headers, reply.tail_headers):
        assert ask(facts()) == []
    if mode is DUPLEX:
        assert commit(reply, facts()) == []


@pytest.mark.parametrize("mode", BodyMode)
def test_only_full_duplex_lets_the_headers_wait(mode):
    held = reply_for(mode).hold_headers(facts())
    assert len(held) == (0 if mode is DUPLEX else 1)


def test_streamed_takes_off_what_will_be_wrong_while_it_can():
    """The header reply is out before anybody knows whether the body is edited."""
    (command,) = Streamed().hold_headers(facts())
    _, gone = spoken(command)
    assert {"content-length", "content-encoding", "content-digest", "content-md5"} <= gone
    (command,) = Streamed().hold_headers(facts(without=("content-encoding",)))
    assert "content-encoding" not in command.remove_headers
    (command,) = Buffered().hold_headers(facts())
    assert not {"content-length", "content-encoding", *DIGESTS} & set(command.remove_headers)


# -- what a decision does to headers ---------------------------------------------------------------


def committed(mode: BodyMode, left: Leaving, **about: object) -> ReplyHeaders | ReplyBody:
    reply = reply_for(mode)
    now = commit(reply, facts(**about), left=left)  # type: ignore[arg-type]
    if mode is DUPLEX:
        return now[0]  # type: ignore[return-value]
    assert now == []
    reply.message()
    (command,) = reply.release(left.data, end=True)
    return command  # type: ignore[return-value]


@pytest.mark.parametrize("mode", [DUPLEX, BUFFERED, PARTIAL])
def test_a_decision_is_told_in_one_reply_and_joined_to_what_was_there(mode):
    command = committed(mode, leaving())
    said, gone = spoken(command)
    assert said["x-selected-model"] == b"m"
    assert next(iter(said)) == "x-selected-model"
    assert said["x-tier"] == b"gold"
    assert said["x-team"] == b"green, blue, red"
    assert said["x-new"] == b"1"
    assert {"x-secret", "x-vsr-selected-decision", "x-user-openai-key"} <= gone
    assert "x-absent" not in gone
    assert command.clear_route_cache


@pytest.mark.parametrize("mode", [DUPLEX, BUFFERED, PARTIAL])
def test_the_coding_and_the_digests_go_exactly_where_the_body_is_edited(mode):
    _, gone = spoken(committed(mode, leaving()))
    assert {"content-encoding", "content-digest", "content-md5"} <= gone
    assert "digest" not in gone  # it was not there
    _, gone = spoken(committed(mode, leaving(packed=True, edited=False)))
    assert not {"content-encoding", *DIGESTS} & gone


@pytest.mark.parametrize(
    ("mode", "edited", "final", "agentgateway", "length"),
    [
        (DUPLEX, True, True, False, b"3"),
        (DUPLEX, True, False, False, None),
        (DUPLEX, True, True, True, None),
        (DUPLEX, False, True, False, "kept"),
        (DUPLEX, False, False, False, None),  # a later edit may still change it
        (DUPLEX, False, True, True, "kept"),
        (BUFFERED, True, True, False, b"3"),
        (BUFFERED, True, True, True, b"3"),
        (BUFFERED, False, True, False, "kept"),
        (PARTIAL, True, True, False, None),
        (PARTIAL, False, True, False, "kept"),
    ],
)
def test_a_length_is_exact_or_absent(mode, edited, final, agentgateway, length):
    left = leaving(packed=not edited, edited=edited, final=final)
    said, gone = spoken(committed(mode, left, agentgateway=agentgateway))
    assert ("content-length" in gone) == (length is None)
    assert said.get("content-length") == (length if isinstance(length, bytes) else None)


def test_a_length_that_nobody_announced_is_not_set_in_full_duplex():
    said, gone = spoken(committed(DUPLEX, leaving(), without=("content-length",)))
    assert "content-length" not in said
    assert "content-length" not in gone


# -- how bytes leave -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 200_001])
@pytest.mark.parametrize("end", [False, True])
def test_pieces_are_small_in_order_and_end_once(size, end):
    data = bytes(i % 251 for i in range(size))
    made = chunks("request", data, end=end)
    assert all(isinstance(piece, ReplyChunk) for piece in made)
    assert all(len(piece.data) <= CHUNK_BYTES for piece in made)
    assert all(len(piece.data) or size == 0 for piece in made)
    assert b"".join(bytes(piece.data) for piece in made) == data
    assert [piece.end for piece in made] == [False] * (len(made) - 1) + [end] * bool(made)
    assert bool(made) == bool(size or end)


def test_full_duplex_leaves_the_end_to_trailers_where_they_come():
    reply = reply_for(DUPLEX)
    assert reply.release(b"ab", end=False) == [ReplyChunk("request", b"ab", False)]
    assert reply.release(b"", end=False) == []
    assert reply.release(b"c", end=True, trailers=True) == [ReplyChunk("request", b"c", False)]
    assert reply.trailers() == [ReplyTrailers("request")]
    assert reply_for(DUPLEX).release(b"c", end=True) == [ReplyChunk("request", b"c", True)]


def test_buffered_carries_everything_on_its_one_answer_and_clears_a_second_message():
    reply = reply_for(BUFFERED)
    assert not reply.may_speak
    assert reply.message() == []
    assert reply.may_speak
    assert reply.message() == []  # AgentGateway: the end alone, where trailers are skipped
    commit(reply, facts())
    first, second = reply.release(b"out", end=True)
    assert (first.body, dict(first.set_headers)["content-length"]) == (b"out", b"3")
    assert second == ReplyBody("request")
    assert not reply.may_speak
    assert reply.release(b"", end=True) == []
    with pytest.raises(ExchangeBug):
        reply.release(b"more", end=True)


def test_buffered_without_an_edit_does_not_touch_the_body():
    reply = reply_for(BUFFERED)
    reply.message()
    commit(reply, facts(), left=leaving(packed=True, edited=False))
    (command,) = reply.release(b"as it came", end=True)
    assert command.body is None
    assert dict(command.set_headers)["x-selected-model"] == b"m"


def test_buffered_with_trailers_has_no_length():
    reply = reply_for(BUFFERED)
    reply.message()
    commit(reply, facts())
    (command,) = reply.release(b"out", end=True, trailers=True)
    said, gone = spoken(command)
    assert "content-length" not in said
    assert "content-length" in gone


def test_streamed_answers_every_message_once_and_withholds_the_newest():
    reply = reply_for(STREAMED)
    assert not reply.withholds
    assert reply.message() == []
    assert reply.withholds
    assert reply.release(b"", end=False, held=10) == []
    assert reply.message() == [ReplyBody("request", b"")]  # the older one is cleared
    assert reply.message() == [ReplyBody("request", b"")]
    assert reply.release(b"", end=False, held=30) == []
    assert reply.release(b"all", end=False) == [ReplyBody("request", b"all")]
    assert not reply.withholds
    assert reply.message() == []
    assert reply.release(b"piece", end=False, same=True) == [ReplyBody("request")]
    assert reply.message() == []
    assert reply.release(b"", end=True) == [ReplyBody("request", b"")]


def test_streamed_bytes_that_wait_for_a_held_rest_leave_on_the_next_answer():
    reply = reply_for(STREAMED)
    reply.message()
    assert reply.release(b"front", end=False, held=3) == []
    assert reply.message() == [ReplyBody("request", b"front")]
    assert reply.release(b"rest", end=True, same=True) == [ReplyBody("request")]


def test_streamed_bytes_without_a_message_to_answer_are_an_error_and_never_lost():
    reply = reply_for(STREAMED)
    with pytest.raises(ExchangeBug):
        reply.release(b"late", end=False)
    assert reply_for(STREAMED).release(b"", end=True) == []


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("due", [True, False])
def test_the_first_message_tells_what_nobody_announced(end, due):
    reply = reply_for(BodyMode.UNKNOWN)
    assert reply.always_plain  # it may become STREAMED, and the headers go out before
    if due:
        reply.hold_headers(facts())
    else:
        reply.no_headers()
    settled = reply.settle_mode(end)
    assert isinstance(settled, Buffered if end else Streamed)
    assert settled.pass_headers(facts()) == []
    assert settled.settle_mode(not end) is settled
    assert settled.always_plain


def test_what_a_mode_can_do_is_said_once():
    can = {
        mode: (reply.can_route, reply.can_tail, reply.one_message, reply.in_pieces)
        for mode in BodyMode
        for reply in (reply_for(mode),)
    }
    assert can == {
        BodyMode.UNKNOWN: (True, False, False, False),
        BodyMode.NONE: (False, False, False, False),
        STREAMED: (True, False, False, False),
        BUFFERED: (True, False, True, False),
        PARTIAL: (True, False, True, False),
        DUPLEX: (True, True, False, True),
    }
    assert [reply_for(mode).whole_message for mode in (BUFFERED, PARTIAL)] == [True, False]


def test_the_repr_says_whether_headers_are_due():
    reply = reply_for(DUPLEX)
    assert repr(reply) == "<FullDuplex headers due>"
    reply.pass_headers(facts())
    assert repr(reply) == "<FullDuplex headers answered>"
