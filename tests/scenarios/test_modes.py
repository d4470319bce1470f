"""The other body modes, told by protocol_config."""

from __future__ import annotations

import gzip
import itertools
import zlib

import brotli
import pytest
import zstandard
from playbook import (
    PLAIN,
    Playbook,
    body,
    header_reply,
    headers,
    no_scores,
    nothing,
    policy_of,
    refused,
    scores,
    timer,
    trailer_reply,
    trailers,
    untouched_headers,
    whole,
)

from srd.exchange.commands import NoteKind
from srd.exchange.errors import GatewayProtocolError
from srd.exchange.events import BodyMode, Timer

MATH = b'{"model":"auto","messages":[{"role":"user","content":"the derivative of x^3?"}]}'
ROUTED = MATH.replace(b"auto", b"math-expert")
BUFFERED, PARTIAL = BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL
STREAMED = BodyMode.STREAMED
BLOCKING = PLAIN.replace(
    "modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]",
    'plugins: [{type: fast_response, configuration: {message: "No."}}]',
)


def test_068_none_answers_the_headers_and_hears_no_body(play):
    p = play(mode=BodyMode.NONE)
    p >> headers() << untouched_headers()
    p.done()


def test_069_buffered_answers_once_with_an_exact_length(play):
    p = play(mode=BUFFERED)
    p >> headers(extra={"content-length": str(len(MATH))}) << untouched_headers()
    p >> body(MATH, end=True)
    wanted = {"x-selected-model": b"math-expert", "content-length": str(len(ROUTED)).encode()}
    p << whole(ROUTED, set=wanted)
    p.done()


TWO_TURNS = (
    b'{"model":"auto","messages":[{"role":"user","content":"' + b"a contract? " * 9000
    + b'"},{"role":"user","content":"the derivative?"}]}'
)  # fmt: skip


def test_069_a_large_buffered_body_is_decided_as_full_duplex_does(play):
    p = play(mode=BUFFERED)
    p >> headers() << untouched_headers()
    p >> body(TWO_TURNS, end=True) << whole(TWO_TURNS.replace(b"auto", b"law-expert"))
    p.done()
    twin = play()
    twin >> headers() >> body(TWO_TURNS, end=True)
    twin.take()
    one, other = p.decision.decision, twin.decision.decision
    assert (one.basis, one.model, one.signals) == (other.basis, other.model, other.signals)
    assert one.basis == "early"


def test_069_without_parity_all_of_it_decides_as_upstream_does(play):
    policy = policy_of(PLAIN.replace("early_decision: {", "early_decision: {parity: false, "))
    p = play(mode=BUFFERED, policy=policy)
    p >> headers() << untouched_headers()
    p >> body(TWO_TURNS, end=True) << whole(TWO_TURNS.replace(b"auto", b"math-expert"))
    p.done()
    assert p.decision.decision.basis == "complete"


def test_070_buffered_and_nothing_to_change(play):
    named = MATH.replace(b"auto", b"law-expert")
    p = play(mode=BUFFERED)
    p >> headers() << untouched_headers()
    p >> body(named, end=True) << whole(None, set={"x-selected-model": b"law-expert"})
    p >> trailers() << nothing


def test_071_buffered_with_trailers(play):
    p = play(mode=BUFFERED)
    p >> headers(extra={"content-length": str(len(MATH))}) << untouched_headers()
    p >> body(MATH) << whole(ROUTED, removed=("content-length",), absent=("content-length",))
    p >> trailers() << trailer_reply()
    p.done()


def test_071_buffered_with_trailers_that_overtake_the_scores(play):
    p = play(mode=BUFFERED, scorer=None)
    p >> headers() << untouched_headers()
    p >> body(MATH) << nothing
    p >> trailers() << nothing
    p >> scores("math") << [whole(ROUTED), trailer_reply()]
    p.done()


@pytest.mark.parametrize("late", [timer(Timer.CLASSIFY), no_scores()])
def test_072_buffered_falls_back_rather_than_be_late(play, late):
    p = play(mode=BUFFERED, scorer=None)
    p >> headers() << untouched_headers()
    p >> body(MATH, end=True) << nothing
    p >> late << whole(MATH.replace(b"auto", b"base-model"))
    p.done()
    assert p.decision.decision.basis == "fallback"


def test_073_a_partial_prefix_is_spliced_and_the_rest_is_not_ours(play):
    prefix = MATH[:-6]
    p = play(mode=PARTIAL)
    p >> headers(extra={"content-length": "999999"}) << untouched_headers()
    p >> body(prefix)
    (reply,) = p.take()
    p.done()
    assert reply.body == prefix.replace(b"auto", b"math-expert")
    assert reply.header("x-selected-model") == b"math-expert"
    assert reply.header("content-length") is None


def test_073_a_partial_body_that_fitted_is_decided_on_all_of_it(play):
    p = play(mode=PARTIAL)
    p >> headers() << untouched_headers()
    p >> body(MATH, end=True) << whole(ROUTED)
    p.done()


def answered(p, pieces: list[bytes], *, end: bool = True) -> bytes:
    """Send pieces in STREAMED; what the answers make of them, each to its own message in turn."""
    out, waiting = b"", []
    for number, piece in enumerate(pieces, 1):
        p >> body(piece, end=end and number == len(pieces))
        waiting.append(piece)
        for reply in p.take():
            whose = waiting.pop(0)
            out += whose if reply.body is None else reply.body
        assert len(waiting) <= 1  # never more than the newest is withheld
    assert not (end and waiting)
    return out


@pytest.mark.parametrize("size", [1, 5, 33, 1000])
def test_074_streamed_answers_one_for_one_and_keeps_every_byte(play, size):
    p = play(mode=STREAMED)
    p >> headers() << untouched_headers()
    pieces = [MATH[at : at + size] for at in range(0, len(MATH), size)]
    assert answered(p, pieces) == ROUTED
    p.done()


@pytest.mark.parametrize("first", range(1, 30, 4))
def test_074_a_name_in_the_second_message_loses_no_front(play, first):
    named = MATH.replace(b"auto", b"law-expert")
    p = play(mode=STREAMED)
    p >> headers() << untouched_headers()
    assert answered(p, [named[:first], named[first:]]) == named
    p.done()


def test_075_a_name_cut_in_two_is_merged_into_a_later_answer(play):
    p = play(mode=STREAMED)
    p >> headers() << untouched_headers()
    p >> body(MATH[:12]) << nothing
    p >> body(MATH[12:], end=True) << [whole(b""), whole(ROUTED)]
    p.done()


def test_076_streamed_answers_headers_first_and_the_end_waits_for_scores(play):
    p = play(mode=STREAMED, scorer=None)
    p >> headers() << untouched_headers()
    p >> body(MATH[:30]) << nothing
    p >> body(MATH[30:], end=True) << whole(b"")
    p >> scores("math") << whole(ROUTED)
    p.done()


BIG = MATH.replace(b"the derivative of x^3?", b"the derivative of x^3? " * 300)


def test_076_what_is_decided_between_messages_leaves_on_the_newest(play):
    routed = BIG.replace(b"auto", b"math-expert")
    p = play(mode=STREAMED, scorer=None)
    p >> headers() << untouched_headers()
    p >> body(BIG[:1000]) << nothing
    p >> body(BIG[1000:3000]) << whole(b"")
    p >> scores("math") << whole(BIG[:3000].replace(b"auto", b"math-expert"))
    p >> body(BIG[3000:], end=True) << whole(None)
    p.done()
    assert BIG[3000:] == routed[-len(BIG[3000:]) :]


@pytest.mark.parametrize("cut", [1, 40, MATH.index(b"]")])
def test_076_with_trailers_skipped_no_end_comes_and_a_timer_ends_the_wait(play, cut):
    """`protocol_config` does not tell, so the newest answer must still be able to carry all."""
    p = play(mode=STREAMED)
    p >> headers() << untouched_headers()
    p >> body(MATH[:cut]) << nothing
    assert p.made.timers[Timer.MESSAGE] == pytest.approx(0.15)
    p >> body(MATH[cut:])
    replies = p.take()
    if len(replies) == 1:  # the document is whole, and the end might still be announced
        p >> timer(Timer.MESSAGE)
        replies += p.take()
    p.done()
    assert [reply.body for reply in replies] == [b"", ROUTED]
    assert p.decision.decision.basis in ("complete", "timeout")


def test_076_what_comes_behind_the_timer_flows(play):
    p = play(mode=STREAMED)
    p >> headers() << untouched_headers()
    p >> body(MATH[:-10]) << nothing
    p >> timer(Timer.MESSAGE)
    (reply,) = p.take()
    model = p.decision.decision.model.encode()
    assert reply.body == MATH[:-10].replace(b"auto", model)
    assert p.decision.decision.basis == "timeout"
    p >> body(MATH[-10:]) << whole(None)
    p >> timer(Timer.MESSAGE) << nothing
    p.done()


def test_076_a_front_with_nothing_in_it_is_decided_too(play):
    p = play(mode=STREAMED)
    p >> headers() << untouched_headers()
    p >> body(MATH[:3]) << nothing
    p >> timer(Timer.MESSAGE) << whole(MATH[:3])
    assert answered(p, [MATH[3:50], MATH[50:]]) == MATH[3:].replace(b"auto", b"base-model")
    p.done()


def test_076_an_operator_may_let_it_wait_longer(play):
    text = PLAIN.replace("  router:\n", "  router:\n    message_timeout_ms: 900\n")
    p = play(mode=STREAMED, policy=policy_of(text))
    p >> headers() << untouched_headers()
    p >> body(MATH[:10]) << nothing
    assert p.made.timers[Timer.MESSAGE] == pytest.approx(0.9)


@pytest.mark.parametrize("say", ["the derivative", "think of it"])
def test_076_where_a_rule_blocks_a_slow_upload_waits_while_more_is_announced(play, say):
    """The clock is the newest answer's, which may carry nothing: another message is certain."""
    raw = MATH.replace(b"the derivative", say.encode())
    length = {"content-length": str(len(raw))}
    p = play(mode=STREAMED, policy=policy_of(BLOCKING))
    p >> headers(extra=length) << untouched_headers()
    p >> body(raw[:30]) << nothing
    p >> timer(Timer.MESSAGE) << whole(b"")
    p >> body(raw[30:60]) << nothing
    p >> timer(Timer.MESSAGE) << whole(b"")
    p >> body(raw[60:], end=True)
    p << (refused(200) if say == "think of it" else whole(raw.replace(b"auto", b"math-expert")))
    p.done()


@pytest.mark.parametrize("length", [None, "60"])
def test_076_where_a_rule_blocks_the_clock_refuses_what_may_be_all(play, length):
    extra = {"content-length": length} if length else None
    p = play(mode=STREAMED, policy=policy_of(BLOCKING))
    p >> headers(extra=extra)
    p.take()
    p >> body(MATH[:60]) << nothing
    p >> timer(Timer.MESSAGE) << refused(503)
    p.done()


def test_076_what_is_decided_between_cleared_messages_leaves_on_the_next(play):
    """A rule that blocks and reads turns only is final before the end."""
    text = PLAIN.replace("modelRefs: [{model: base-model, lora_name: law-expert, use_reasoning: "
                         "false}]", 'blocking: true\n      plugins: [{type: fast_response, '
                         'configuration: {message: "No."}}]')  # fmt: skip
    raw = MATH.replace(b"}]}", b'}],"n":1}')
    p = play(mode=STREAMED, policy=policy_of(text), scorer=None)
    p >> headers(extra={"content-length": str(len(raw))})
    p.take()
    p >> body(raw[:-3]) << nothing
    p >> timer(Timer.MESSAGE) << whole(b"")
    p >> scores("math") << nothing
    p >> body(raw[-3:], end=True) << whole(raw.replace(b"auto", b"math-expert"))
    p.done()


@pytest.mark.parametrize("cuts", [(), (1,), (20, 60), (len(MATH),)])
def test_076_trailers_may_end_a_streamed_body(play, cuts):
    p = play(mode=STREAMED)
    p >> headers() << untouched_headers()
    edges = [0, *cuts, len(MATH)]
    out = answered(p, [MATH[a:b] for a, b in itertools.pairwise(edges)], end=False)
    p >> trailers()
    *last, end = p.take()
    assert end.kind == "request_trailers"
    assert out + b"".join(reply.body for reply in last) == ROUTED
    assert p.gateway.owed == 0
    p.done()


@pytest.mark.parametrize("number", [5, 9])
def test_077_a_mode_that_we_do_not_speak_is_refused_before_any_body(policy, dialect, number):
    p = Playbook(policy, dialect, mode=4)
    p._config = type(p._config)(number, 0)
    with pytest.raises(GatewayProtocolError) as refused:
        p >> headers()
    assert refused.value.status == "UNIMPLEMENTED"


def test_078_an_observed_stream_is_never_answered(play):
    p = play(mode=None, observability=True)
    p >> headers() << nothing
    p >> body(MATH, end=True) << nothing
    p >> trailers() << nothing
    p.done()


def test_079_the_request_side_never_overrides_a_mode(play):
    p = play()
    p >> headers() >> body(MATH, end=True) << header_reply(override=None)
    p.take()


def test_097_a_body_before_headers_that_then_come_breaks_the_protocol(play):
    p = play(scorer=None)
    p >> body(MATH[:10]) << nothing
    with pytest.raises(GatewayProtocolError):
        p >> headers()


def test_097_a_body_first_without_any_announcement_breaks_the_protocol(play):
    with pytest.raises(GatewayProtocolError):
        play(mode=None) >> body(MATH)


CODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "gzip, identity": gzip.compress,
    "identity, zstd, gzip": lambda data: gzip.compress(zstandard.compress(data)),
}


@pytest.mark.parametrize("model", ["auto", "law-expert"])
@pytest.mark.parametrize("coding", CODINGS)
def test_a_packed_body_leaves_plain_in_streamed_whatever_is_decided(play, coding, model):
    """The header reply is out before a byte is seen, and has the coding in it."""
    raw = MATH.replace(b"auto", model.encode())
    packed = CODINGS[coding](raw)
    fields = {"content-encoding": coding, "content-length": "9", "content-digest": "sha-256=:x:"}
    p = play(mode=STREAMED)
    p >> headers(extra=fields)
    p << untouched_headers(removed=("content-encoding", "content-length", "content-digest"))
    pieces = [packed[at : at + 20] for at in range(0, len(packed), 20)]
    wanted = "math-expert" if model == "auto" else model
    assert answered(p, pieces) == raw.replace(model.encode(), wanted.encode())
    p.done()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
@pytest.mark.parametrize("cut", [False, True])
def test_a_packed_body_leaves_plain_where_nothing_was_announced(play, path, cut):
    """It could be STREAMED, so the header reply takes the coding off before the first message."""
    raw = MATH.replace(b"auto", b"law-expert")
    packed = gzip.compress(raw)
    p = play(mode=None)
    p >> headers(path, extra={"content-encoding": "gzip"})
    p << untouched_headers(removed=("content-encoding",))
    assert answered(p, [packed[:30], packed[30:]] if cut else [packed]) == raw
    p.done()


@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/responses/compact"])
def test_a_packed_body_that_is_only_read_for_its_name_leaves_plain_in_streamed_too(play, path):
    raw = b'{"model":"e5","input":"x"}'
    p = play(mode=STREAMED)
    p >> headers(path, extra={"content-encoding": "gzip"})
    p << untouched_headers(removed=("content-encoding",))
    packed = gzip.compress(raw)
    assert answered(p, [packed[:15], packed[15:]]) == raw
    p.done()


@pytest.mark.parametrize("mode", [STREAMED, BUFFERED, BodyMode.FULL_DUPLEX_STREAMED])
@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/chat/completions"])
def test_damage_in_a_packed_body_is_the_clients(play, mode, path):
    p = play(mode=mode)
    p >> headers(path, extra={"content-encoding": "gzip"})
    p.take()
    p >> body(b"\x1f\x8b not gzip", end=True)
    replies = p.take()
    if replies[0].kind == "immediate":
        assert replies[0].status == 400
    else:  # not ours to judge, and it leaves as it came
        assert path == "/v1/embeddings"
        assert mode is not STREAMED
        assert replies[-1].body in (None, b"\x1f\x8b not gzip")
    assert not p.made.decided
    assert {note.kind for note in p.made.notes} <= {NoteKind.UNREAD, NoteKind.REFUSED}
    p.done()


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("model", ["auto", "law-expert"])
def test_a_packed_body_in_buffered_leaves_packed_unless_it_is_edited(play, coding, model):
    raw = MATH.replace(b"auto", model.encode())
    packed = CODINGS[coding](raw)
    fields = {"content-encoding": coding, "content-length": str(len(packed))}
    p = play(mode=BUFFERED)
    p >> headers(extra=fields) << untouched_headers()
    p >> body(packed, end=True)
    (reply,) = p.take()
    p.done()
    if model == "auto":
        assert reply.body == ROUTED
        assert "content-encoding" in reply.remove_headers
        assert reply.header("content-length") == str(len(ROUTED)).encode()
    else:
        assert reply.body is None
        assert "content-encoding" not in reply.remove_headers
        assert reply.header("x-selected-model") == b"law-expert"


@pytest.mark.parametrize("mode", [BUFFERED, PARTIAL])
def test_with_compressed_inflate_a_packed_body_always_leaves_plain(play, mode):
    raw = MATH.replace(b"auto", b"law-expert")
    text = PLAIN.replace("  router:\n", "  router:\n    compressed: inflate\n")
    p = play(mode=mode, policy=policy_of(text))
    p >> headers(extra={"content-encoding": "zstd"}) << untouched_headers()
    p >> body(zstandard.compress(raw), end=True) << whole(raw, removed=("content-encoding",))
    p.done()


def test_a_packed_body_of_several_megabytes_is_one_answer_in_buffered(play):
    """More than one step of the pipe: all of it rides on the one answer."""
    raw = MATH.replace(b"x^3?", b"x^3? " * 700_000)
    packed = zstandard.compress(raw)
    text = PLAIN.replace("  router:\n", "  router:\n    limits: {max_inflate_ratio: 100000}\n")
    p = play(mode=BUFFERED, policy=policy_of(text))
    p >> headers(extra={"content-encoding": "zstd"}) << untouched_headers()
    p >> body(packed, end=True) << whole(raw.replace(b"auto", b"math-expert"))
    p.done()


# -- a prefix


def test_073_a_prefix_that_is_packed_leaves_untouched_and_unclaimed(play):
    packed = gzip.compress(MATH)
    p = play(mode=PARTIAL)
    p >> headers(extra={"content-encoding": "gzip"}) << untouched_headers()
    p >> body(packed[:-3]) << whole(None, absent=("x-selected-model",))
    assert [note.kind for note in p.made.notes] == [NoteKind.PARTIAL_UNROUTABLE]
    assert not p.made.decided
    p.done()


def test_073_a_prefix_without_a_model_leaves_untouched_and_unclaimed(play):
    raw = b'{"messages":[{"role":"user","content":"the derivative"}],"model":"auto"}'
    p = play(mode=PARTIAL)
    p >> headers() << untouched_headers()
    p >> body(raw[:50]) << whole(None, absent=("x-selected-model",))
    assert [note.kind for note in p.made.notes] == [NoteKind.PARTIAL_UNROUTABLE]
    p.done()


@pytest.mark.parametrize("coding", [None, "gzip"])
def test_073_where_a_rule_blocks_such_a_prefix_is_refused(play, coding):
    raw = b'{"messages":[{"role":"user","content":"think of the derivative"}],"model":"auto"}'
    p = play(mode=PARTIAL, policy=policy_of(BLOCKING))
    p >> headers(extra={"content-encoding": coding} if coding else None) << untouched_headers()
    p >> body((gzip.compress(raw) if coding else raw)[:-12]) << refused(413)
    p.done()


def test_073_a_prefix_that_is_only_read_for_its_name_passes_where_a_rule_blocks_too(play):
    p = play(mode=PARTIAL, policy=policy_of(BLOCKING))
    p >> headers("/v1/embeddings") << untouched_headers()
    p >> body(b'{"input":"x') << whole(None)
    p.done()


def test_073_a_prefix_that_names_a_model_is_no_unroutable_one(play):
    named = MATH.replace(b"auto", b"law-expert")
    p = play(mode=PARTIAL, policy=policy_of(BLOCKING))
    p >> headers() << untouched_headers()
    p >> body(named[:-6]) << whole(None, set={"x-selected-model": b"law-expert"})
    p.done()


def test_073_trailers_behind_a_body_that_fitted_are_answered_behind_it(play):
    p = play(mode=PARTIAL)
    p >> headers() << untouched_headers()
    p >> body(MATH) << whole(ROUTED)
    p >> trailers() << trailer_reply()
    p.done()


def test_the_policy_of_the_seed_wants_nothing_more(play):
    """Buffered both ways with headers sent: what the seed guide's policy announces."""
    p = play(mode=BUFFERED, response_mode=BUFFERED, policy=policy_of(PLAIN))
    p >> headers() << untouched_headers()
    p >> body(MATH, end=True) << whole(ROUTED)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("policy", [PLAIN, BLOCKING])
def test_073_trailers_behind_a_packed_body_that_fitted_change_nothing(play, coding, policy):
    pack = gzip.compress if coding == "gzip" else zstandard.compress
    p = play(mode=PARTIAL, policy=policy_of(policy))
    p >> headers(extra={"content-encoding": coding}) << untouched_headers()
    p >> body(pack(MATH)) << whole(ROUTED, removed=("content-encoding", "content-length"))
    p >> trailers() << trailer_reply()
    assert p.decision.decision.basis == "complete"
    p.done()
