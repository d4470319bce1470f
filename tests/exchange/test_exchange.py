"""The machine as a whole: any cut of any body gives the same decision and the same bytes."""

from __future__ import annotations

import gzip
import itertools
import json
import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playbook import (
    CONFIG,
    DIALECTS,
    Playbook,
    body,
    by_words,
    headers,
    no_scores,
    policy_of,
    pressure,
    reset,
    response_body,
    response_headers,
    response_trailers,
    scores,
    timer,
    trailers,
)

from srd.exchange.commands import NoteKind
from srd.exchange.errors import ExchangeBug, GatewayProtocolError
from srd.exchange.events import BodyMode, Timer

FORGETFUL = CONFIG.replace("budget_bytes", "memo: {enabled: false}, budget_bytes")
POLICY = policy_of(FORGETFUL)
LATE = {  # by late_model_bytes; None is the default, budget_bytes
    late: policy_of(
        FORGETFUL.replace("memo:", f"late_model_bytes: {late}, memo:")
        if late is not None
        else FORGETFUL
    )
    for late in (None, 0, 700, 6000, 20_000)
}
WORDS = ["the derivative ", "a contract ", "think ", "nothing ", "数学 ", '\\"quoted\\" ', "é "]
SIZES = [0, 1, 30, 383, 384, 385, 1900, 2100, 3072, 5000, 19_900, 21_000]


def chat_body(seed: int) -> bytes:
    """A chat body around every threshold of the test configuration, oddly ordered and written."""
    rng = random.Random(seed)

    def text(size: int) -> str:
        made = ""
        while len(made) < size:
            made += rng.choice(WORDS)
        return made

    messages = []
    for _ in range(rng.randint(1, 4)):
        role = rng.choice(["user", "user", "assistant", "system"])
        content: object = text(rng.choice(SIZES))
        if rng.random() < 0.3:
            content = [
                {"type": "text", "text": text(rng.choice(SIZES[:8]))},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 3000}},
            ]
        pair = [("role", role), ("content", content)]
        rng.shuffle(pair)
        messages.append(dict(pair))
    members: list[tuple[str, object]] = [("messages", messages)]
    model = rng.choice(["auto", "auto", "auto", " auto ", "", None, "law-expert", "math-exprt"])
    if model is not None or rng.random() < 0.3:
        members.append(("model", model))
    if rng.random() < 0.4:
        members.append(("chat_template_kwargs", rng.choice([{}, {"a": 1}, None])))
    if rng.random() < 0.4:
        members.append(("reasoning_effort", "low"))
    rng.shuffle(members)
    separators = rng.choice([(",", ":"), (", ", ": "), (" ,\n", "\t: ")])
    raw = json.dumps(dict(members), ensure_ascii=rng.random() < 0.5, separators=separators)
    return raw.encode()


@dataclass(frozen=True)
class Outcome:
    """What came of a body. `out` is what left, as the backend reads it."""

    decided: tuple[object, ...] | None
    asked: tuple[tuple[str, int], ...]
    refused: int
    noted: frozenset[tuple[NoteKind, str]]
    out: bytes


def run(
    raw: bytes,
    cuts: list[int],
    dialect: str,
    *,
    announce: bool = False,
    mode: BodyMode = BodyMode.FULL_DUPLEX_STREAMED,
    coding: str = "",
    late: int | None = None,
) -> Outcome:
    play = Playbook(LATE[late], dialect, mode=mode)  # type: ignore[arg-type]
    sent = gzip.compress(raw, mtime=0) if coding else raw
    extra = {"content-length": str(len(sent))} if announce else {}
    play >> headers(extra=extra | ({"content-encoding": coding} if coding else {}))
    play.take()
    whole = mode in (BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL)
    edges = [0, *([] if whole else sorted(cuts)), len(sent)]
    out, waiting = b"", []
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        play >> body(sent[start:stop], end=number == len(edges) - 2)
        waiting.append(sent[start:stop])
        for reply in play.take():
            if reply.kind == "request_body" and mode is not BodyMode.FULL_DUPLEX_STREAMED:
                message = waiting.pop(0)
                out += message if reply.body is None else reply.body
    play.done()
    if mode is BodyMode.FULL_DUPLEX_STREAMED:
        out = bytes(play.gateway.upstream)
    made = play.made
    decision = made.decided[-1].decision if made.decided else None
    refused = play.gateway.refused.status if play.gateway.refused else 0
    assert play.most_held <= 20_000 + 65_536 or whole
    return Outcome(
        decision and (decision.model, decision.name, str(decision.basis), decision.signals),
        tuple((ask.text, ask.window) for ask in made.asks),
        refused,
        frozenset((note.kind, note.detail) for note in made.notes),
        gzip.decompress(out) if out.startswith(b"\x1f\x8b") else out,
    )


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32),
    st.lists(st.floats(0, 1), max_size=8),
    st.booleans(),
    st.sampled_from(DIALECTS),
    st.sampled_from(list(LATE)),
)
def test_any_cut_gives_the_same_decision_and_the_same_bytes(
    seed, fractions, announce, dialect, late
):
    raw = chat_body(seed)
    whole = run(raw, [], dialect, announce=announce, late=late)
    cuts = [int(f * len(raw)) for f in fractions]
    cut = run(raw, cuts, dialect, announce=announce, late=late)
    assert cut == whole
    if not whole.refused:
        before, after = json.loads(raw), json.loads(whole.out)
        assert after["messages"] == before["messages"]
        assert set(after) - set(before) <= {"model", "chat_template_kwargs"}
        assert after["model"] == whole.decided[0]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32),
    st.lists(st.floats(0, 1), max_size=4),
    st.booleans(),
    st.sampled_from(DIALECTS),
    st.sampled_from([BodyMode.STREAMED, BodyMode.BUFFERED, BodyMode.BUFFERED_PARTIAL]),
    st.sampled_from(["", "gzip"]),
    st.sampled_from(list(LATE)),
)
def test_any_mode_and_coding_gives_the_same_decision_and_the_same_document(
    seed, fractions, announce, dialect, mode, coding, late
):
    """A length that announces a large body may be judged earlier, and only then, but not otherwise:
    a packed one says nothing of the size, so it is announced to neither."""
    raw = chat_body(seed)
    announce = announce and not coding
    plain = run(raw, [], dialect, announce=announce, late=late)
    size = len(gzip.compress(raw, mtime=0) if coding else raw)
    cuts = [int(f * size) for f in fractions]
    other = run(raw, cuts, dialect, announce=announce, mode=mode, coding=coding, late=late)
    assert other == plain
    if coding:
        duplex = run(raw, cuts, dialect, announce=announce, coding=coding, late=late)
        assert duplex == plain


EVENTS = [
    headers(),
    headers("/upload"),
    body(b'{"model":"auto",'),
    body(b'"messages":[{"role":"user","content":"the derivative"}]}'),
    body(b"x" * 3000),
    body(b"", end=True),
    body(b"}", end=True),
    trailers(),
    scores("math"),
    no_scores(),
    timer(Timer.MESSAGE),
    timer(Timer.IDLE),
    timer(Timer.BUDGET),
    timer(Timer.CLASSIFY),
    timer(Timer.DEADLINE),
    pressure(),
    response_headers(200, "text/event-stream"),
    response_body(b"data: {}\n\n"),
    response_body(b"", end=True),
    response_trailers(),
    reset(),
]
MODES = [mode for mode in BodyMode if mode is not BodyMode.UNKNOWN]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from(EVENTS), max_size=14),
    st.sampled_from(MODES),
    st.sampled_from(MODES),
    st.sampled_from(DIALECTS),
    st.booleans(),
)
def test_any_order_of_events_is_answered_legally_or_is_the_gateways_fault(
    events, mode, response_mode, dialect, answers
):
    """Either replies that a gateway takes (its model checks each), or a typed error."""
    play = Playbook(
        POLICY,
        dialect,
        mode=mode,
        response_mode=response_mode,
        scorer=by_words if answers else None,
    )
    try:
        for event in [headers(), *events]:
            play >> event
            play.take()
    except (GatewayProtocolError, ExchangeBug):
        pass
    play.take()
    play >> reset()
    assert play.exchange.held == 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_repr_of_an_exchange_tells_where_it_stands(dialect):
    play = Playbook(POLICY, dialect, scorer=None)
    play >> headers() >> body(b'{"model":"auto","messages":[')
    assert repr(play.exchange) == (
        "<Exchange <RequestHalf holding mode=FULL_DUPLEX_STREAMED held=28> "
        "<ResponseHalf waiting mode=NONE status=-> undecided>"
    )
