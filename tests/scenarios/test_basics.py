"""Basics and ordering. The number in a name is the scenario's."""

from __future__ import annotations

import pytest
from playbook import (
    PLAIN,
    body,
    chunks,
    half_close,
    header_reply,
    headers,
    nothing,
    policy_of,
    reset,
    response_headers,
    response_reply,
    scores,
    trailer_reply,
    trailers,
    untouched_headers,
    whole,
)

from srd.exchange.errors import GatewayProtocolError
from srd.exchange.events import BodyMode

MATH = b'{"model":"auto","messages":[{"role":"user","content":"the derivative of x^3?"}]}'
ROUTED = MATH.replace(b"auto", b"math-expert")
NAMED = MATH.replace(b"auto", b"law-expert")


def large(words: str = "the derivative of x^3? ", size: int = 6000, model: str = "auto") -> bytes:
    """A chat body over the evidence budget of the test configuration, model first."""
    text = (words * (size // len(words) + 1))[:size]
    return f'{{"model":"{model}","messages":[{{"role":"user","content":"{text}"}}]}}'.encode()


def test_001_a_request_without_a_body_is_answered_at_once(play):
    p = play()
    p >> headers("/healthz", "GET", end=True) << untouched_headers()
    p.done(b"")


def test_002_content_length_zero_is_no_body(play):
    p = play()
    p >> headers(extra={"content-length": "0"}, end=True) << untouched_headers()
    p.done(b"")


def test_003_a_named_model_passes_untouched(play):
    p = play()
    p >> headers() << nothing
    p >> body(NAMED, end=True) << [header_reply("law-expert"), chunks(NAMED, end=True)]
    p.done(NAMED)


def test_004_the_end_may_come_as_an_empty_message(play):
    p = play()
    p >> headers() << nothing
    p >> body(MATH) << nothing
    p >> body(b"", end=True) << [header_reply("math-expert"), chunks(ROUTED, end=True)]
    p.done(ROUTED)


def test_005_an_empty_first_chunk_changes_nothing(play):
    p = play()
    p >> headers() << nothing
    p >> body(b"") << nothing
    p >> body(MATH, end=True) << [header_reply("math-expert"), chunks(ROUTED, end=True)]
    p.done(ROUTED)


def test_006_a_body_of_one_byte_messages_comes_out_whole(play):
    p = play()
    p >> headers() << nothing
    turns = MATH.index(b"]") + 1
    for index in range(turns - 1):
        p >> body(MATH[index : index + 1]) << nothing
    p >> body(MATH[turns - 1 : turns])
    p << [header_reply("math-expert"), chunks(ROUTED[: turns - len(MATH)])]
    for index in range(turns, len(MATH)):
        last = index == len(MATH) - 1
        p >> body(MATH[index : index + 1], end=last) << chunks(MATH[index : index + 1], end=last)
    p.done(ROUTED)


@pytest.mark.parametrize("ending", ["end", "trailers"])
@pytest.mark.parametrize("mode", [mode for mode in BodyMode if mode is not BodyMode.NONE])
def test_007_an_announced_body_that_is_empty_passes_in_every_mode(play, mode, ending):
    """As where the headers said so: whether a server minds is the server's to say."""
    duplex = mode is BodyMode.FULL_DUPLEX_STREAMED
    p = play(mode=None if mode is BodyMode.UNKNOWN else mode)
    p >> headers() << (nothing if duplex else untouched_headers())
    if ending == "end":
        p >> body(b"", end=True)
        empty = whole(b"" if mode is BodyMode.STREAMED else None)
        p << ([untouched_headers(), chunks(b"", end=True)] if duplex else empty)
    else:
        p >> trailers()
        p << ([untouched_headers(), trailer_reply()] if duplex else trailer_reply())
    p.done(b"")
    assert not p.made.decided


def test_007_an_empty_body_that_is_not_ours_ends_empty(play):
    p = play()
    p >> headers("/upload") << untouched_headers()
    p >> body(b"", end=True) << chunks(b"", end=True)
    p.done(b"")


def test_008_a_client_that_goes_away_gets_no_answer(play):
    p = play()
    p >> headers() << nothing
    p >> body(MATH[:20]) << nothing
    p >> half_close() << nothing
    p.done(b"")


def test_009_a_stream_without_messages_ends_quietly(play):
    play().done(b"")


def test_010_without_a_header_phase_the_body_is_answered_alone(play):
    p = play(skip_headers=True)
    p >> body(MATH, end=True) << chunks(ROUTED, end=True)
    p.done(ROUTED)


def test_010_without_a_header_phase_an_unreadable_body_passes(play):
    p = play(skip_headers=True)
    p >> body(b"a=1&b=2", end=True) << chunks(b"a=1&b=2", end=True)
    p.done(b"a=1&b=2")


def test_011_a_response_may_come_first(play):
    p = play(response_mode=BodyMode.NONE)
    p >> response_headers(200) << response_reply()
    p.done()


def test_012_without_an_announcement_a_whole_body_is_answered_as_buffered(play):
    p = play(mode=None)
    p >> headers() << untouched_headers()
    p >> body(MATH, end=True) << whole(ROUTED, set={"x-selected-model": b"math-expert"})
    p.done()


def test_012_without_an_announcement_a_piece_is_answered_as_streamed(play):
    p = play(mode=None)
    p >> headers() << untouched_headers()
    p >> body(MATH[:30]) << nothing
    p >> body(MATH[30:], end=True) << [whole(b""), whole(ROUTED)]
    p.done()


def test_013_auto_is_decided_at_the_end_of_a_small_body(play):
    p = play()
    p >> headers() << nothing
    p >> body(MATH[:40]) << nothing
    p >> body(MATH[40:], end=True) << [header_reply("math-expert"), chunks(ROUTED, end=True)]
    p.done(ROUTED)
    assert p.decision.decision.basis == "complete"


def test_014_a_large_body_is_decided_before_its_end(play):
    big = large()
    p = play()
    p >> headers() << nothing
    p >> body(big[:2001])
    replies = p.take()
    assert replies[0].header("x-selected-model") == b"math-expert"
    assert replies[1].body.startswith(b'{"model":"math-expert"')
    assert p.decision.decision.basis == "early"
    p >> body(big[2001:], end=True) << chunks(big[2001:], end=True)
    p.done(big.replace(b"auto", b"math-expert"))


def test_014_an_announced_length_starts_no_early_look(play):
    """However large it will be: what is judged early is what has passed the budget."""
    big = large()
    p = play(policy=policy_of(PLAIN.replace("{type: keyword, name: thinking}", "")))
    p >> headers(extra={"content-length": str(len(big))}) << nothing
    p >> body(big[:2000]) << nothing
    p >> body(big[2000:2100])
    p.take()
    assert p.decision.decision.basis == "early"
    assert p.made.asks[0].window == 64


def test_015_after_the_decision_every_piece_leaves_as_it_comes(play):
    big = large()
    p = play()
    p >> headers() >> body(big[:2001])
    p.take()
    for at in range(2001, len(big) - 1, 500):
        piece = big[at : min(at + 500, len(big) - 1)]
        p >> body(piece) << chunks(piece)
    p >> body(big[-1:], end=True) << chunks(big[-1:], end=True)
    p.done(big.replace(b"auto", b"math-expert"))


def test_016_the_header_reply_waits_as_long_as_the_scores(play):
    p = play(scorer=None)
    p >> headers() << nothing
    p >> body(MATH, end=True) << nothing
    p >> scores("math") << [header_reply("math-expert"), chunks(ROUTED, end=True)]
    p.done(ROUTED)


def test_016_a_half_close_behind_the_body_does_not_lose_the_answer(play):
    p = play(scorer=None)
    p >> headers() >> body(MATH, end=True) >> half_close() << nothing
    p >> scores("math") << [header_reply("math-expert"), chunks(ROUTED, end=True)]
    p.done(ROUTED)


@pytest.mark.parametrize("decided", [True, False])
def test_017_a_second_end_of_stream_is_ignored(play, decided):
    p = play(scorer=None)
    p >> headers() >> body(MATH, end=True) << nothing
    if not decided:
        p >> body(b"garbage", end=True) << nothing
    p >> scores("math") << [header_reply("math-expert"), chunks(ROUTED, end=True)]
    p >> body(b"garbage", end=True) << nothing
    p >> body(b"", end=True) << nothing
    p.done(ROUTED)


def test_018_trailers_after_the_end_are_ignored(play):
    p = play()
    p >> headers() >> body(MATH, end=True) << [header_reply(), chunks(ROUTED, end=True)]
    p >> trailers() << nothing
    p.done(ROUTED)


def test_019_two_exchanges_share_a_policy_and_nothing_else(play, policy):
    one, two = play(scorer=None), play(scorer=None)
    law = MATH.replace(b"derivative", b"contract")
    one >> headers() >> body(MATH[:40]) << nothing
    two >> headers() >> body(law[:40]) << nothing
    two >> body(law[40:], end=True) << nothing
    one >> body(MATH[40:], end=True) << nothing
    two >> scores("law")
    two << [header_reply("law-expert"), chunks(law.replace(b"auto", b"law-expert"), end=True)]
    one >> scores("math") << [header_reply("math-expert"), chunks(ROUTED, end=True)]
    one.done(ROUTED)
    two.done()


def test_020_five_hundred_exchanges_hold_what_they_must_and_free_it(play):
    pending = [play(scorer=None) for _ in range(500)]
    for p in pending:
        p >> headers() >> body(MATH, end=True) << nothing
    assert sum(p.exchange.held for p in pending) == 500 * len(MATH)
    for p in pending:
        p >> scores("math") << [header_reply("math-expert"), chunks(ROUTED, end=True)]
        p.done(ROUTED)


def test_headers_that_come_twice_break_the_protocol(play):
    p = play()
    p >> headers() << nothing
    with pytest.raises(GatewayProtocolError):
        p >> headers()


def test_a_reset_in_any_state_frees_everything(play):
    for steps in range(4):
        p = play(scorer=None)
        for sent in (headers(), body(MATH[:30]), body(MATH[30:], end=True))[:steps]:
            p >> sent << nothing
        p >> reset() << nothing
        assert p.exchange.held == 0


def test_the_decision_of_a_large_body_does_not_depend_on_its_pieces(play):
    big = large("what of it? ", 3000) + b" " * 10
    seen = set()
    for size in (1, 7, 100, 1999, 2000, 2001, 2002, len(big)):
        p = play(policy=policy_of(PLAIN))
        p >> headers()
        for at in range(0, len(big), size):
            p >> body(big[at : at + size], end=at + size >= len(big))
            p.take()
        decision = p.decision.decision
        seen.add((decision.basis, decision.model, tuple(a.text for a in p.made.asks)))
        p.done()
    assert len(seen) == 1
