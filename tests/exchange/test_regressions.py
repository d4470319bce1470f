"""Transcripts that once ended wrong, each with the promise of docs/bodies.md that it broke.

Why this file exists: every one was found by an oracle of its own, far from any one module. It must
not repeat what a mirrored test file already says.
"""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from playbook import (
    PLAIN,
    Playbook,
    body,
    chunks,
    header_reply,
    headers,
    nothing,
    policy_of,
    pressure,
    refused,
    timer,
    untouched_headers,
    whole,
)

from srd.exchange import modes
from srd.exchange.commands import NoteKind
from srd.exchange.events import BodyMode, Timer
from srd.exchange.modes import FullDuplex

GZIP = {"content-encoding": "gzip"}
NAMED_PATH = "/v1/embeddings"
#: What the linear scan and the splicer take in one step is 1 MiB: this is more.
LARGE = 3 << 20


def chat(content: str, model: str | None = "auto", late: str | None = None) -> bytes:
    """A chat completion; `late`: a model behind the turns."""
    front = {} if model is None else {"model": model}
    behind = {} if late is None else {"model": late}
    document = {**front, "messages": [{"role": "user", "content": content}]}
    return json.dumps({**document, **behind} if model is None else document).encode()


def noted(play: Playbook) -> dict[NoteKind, str]:
    return {note.kind: note.detail for note in play.made.notes}


def upstream(replies, sent: list[bytes]) -> bytes:
    """What one answer per message makes of the messages."""
    bodies = [reply.body for reply in replies if reply.kind == "request_body"]
    return b"".join(came if body is None else body for body, came in zip(bodies, sent, strict=True))


# -- what one answer must carry ------------------------------------------------------------------


def test_a_streamed_message_is_answered_with_all_that_it_inflates_to():
    raw = chat("derivative " + "".join(f"line {n} of a long log\n" for n in range(LARGE // 22)))
    packed = gzip.compress(raw)
    late = len(packed) * 3 // 4
    sent = [packed[:2000], packed[2000:late], packed[late:]]
    p = Playbook(policy_of(), mode=BodyMode.STREAMED)
    p >> headers(extra=GZIP) << untouched_headers(removed=("content-encoding",))
    replies = []
    for at, piece in enumerate(sent):
        p >> body(piece, end=at == 2)
        replies += p.take()
    assert upstream(replies, sent) == raw.replace(b'"auto"', b'"math-expert"')
    p.done()


def test_an_unannounced_mode_sends_plain_what_lost_its_coding_with_the_headers():
    raw = chat("hello", "law-expert")
    p = Playbook(policy_of(), mode=None)
    p >> headers(extra=GZIP) << untouched_headers(removed=("content-encoding",))
    p >> body(gzip.compress(raw), end=True) << whole(raw)
    assert p.gateway.request_headers.get("content-encoding") is None
    p.done()


def test_an_unannounced_mode_sends_plain_what_is_not_routed_as_well():
    raw = b'{"model":"embedder","input":"x"}'
    p = Playbook(policy_of(), mode=None)
    p >> headers(NAMED_PATH, extra=GZIP) << untouched_headers(removed=("content-encoding",))
    p >> body(gzip.compress(raw), end=True) << whole(raw)
    p.done()


# -- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "size"),
    [
        (BodyMode.FULL_DUPLEX_STREAMED, 5000),
        (BodyMode.STREAMED, 5000),
        (BodyMode.STREAMED, LARGE),  # in full duplex the first piece of so much has left before
    ],
)
def test_damage_that_only_the_commit_comes_to_is_the_clients_fault_not_ours(mode, size):
    packed = bytearray(gzip.compress(chat("urgent " + "y" * size)))
    packed[-6] ^= 1
    duplex = mode is BodyMode.FULL_DUPLEX_STREAMED
    p = Playbook(policy_of(), mode=mode)
    p >> headers(extra=GZIP) << (nothing if duplex else untouched_headers())
    p >> body(bytes(packed), end=True) << refused(400)
    assert NoteKind.FAULT not in noted(p)


def test_a_damaged_body_that_is_read_for_a_name_only_is_refused_where_its_coding_is_gone():
    packed = bytearray(gzip.compress(b'{"model":"embedder","input":"x"}'))
    packed[-6] ^= 1
    p = Playbook(policy_of(), mode=BodyMode.STREAMED)
    p >> headers(NAMED_PATH, extra=GZIP) << untouched_headers()
    p >> body(bytes(packed), end=True) << refused(400)
    assert NoteKind.FAULT not in noted(p)


def test_what_follows_a_whole_body_keeps_its_brace_back():
    """The decoder had verified its end, and something came behind it."""
    raw = chat("derivative " + "filler " * 900)
    packed = zlib.compress(raw)
    p = Playbook(policy_of())
    p >> headers(extra={"content-encoding": "deflate"}) << nothing
    p >> body(packed)
    p << header_reply(model="math-expert")
    p << chunks(raw.replace(b"auto", b"math-expert")[:-1])
    with pytest.raises(Exception, match="data behind the end"):
        p >> body(b"more", end=True)
    assert not p.gateway.ended
    assert not p.gateway.upstream.endswith(b"}]}")


# -- mode T --------------------------------------------------------------------------------------

TAIL = PLAIN.replace(
    "early_decision: {", "early_decision: {late_model_bytes: 2000, tail_insertion: true, "
)


def _counts_turns() -> str:
    """No classifier is asked, and only the end tells how many turns there are."""
    signal = (
        "    conversation:\n"
        "      - name: many\n"
        "        feature: {type: count, source: {type: message, role: user}}\n"
        "        predicate: {gte: 3}\n"
    )
    rules = (
        "  decisions:\n"
        "    - name: many_decision\n"
        "      rules: {operator: OR, conditions: [{type: conversation, name: many}]}\n"
        "      modelRefs: [{model: base-model, lora_name: law-expert, use_reasoning: false}]\n"
    )
    return TAIL[: TAIL.index("    domains:")] + signal + rules + TAIL[TAIL.index("global:") :]


def _turns(name: str) -> bytes:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "y" * 1000}]
    return json.dumps({"messages": turns, "model": name, "z": "w" * 3000}).encode()


def test_a_body_that_is_all_here_does_not_wait_for_its_end():
    raw = _turns("auto")
    p = Playbook(policy_of(_counts_turns()))
    p >> headers(extra={"content-length": str(len(raw))}) << nothing
    p >> body(raw, end=True) << header_reply(model="base-model")
    p << chunks(raw.replace(b'"auto"', b'"base-model"'), end=True)
    p.done()


@pytest.mark.parametrize("cut", [500, 1100, 1900])
def test_an_unknown_name_is_refused_wherever_the_body_is_cut_in_front_of_it(cut):
    raw = _turns("nobody")
    p = Playbook(policy_of(_counts_turns()))
    p >> headers(extra={"content-length": str(len(raw))}) << nothing
    p >> body(raw[:cut])
    if not p.gateway.refused:
        p << nothing
        p >> body(raw[cut:], end=True)
    p << refused(400)


# -- notes and headers by offset alone ------------------------------------------------------------


@pytest.mark.parametrize("cut", [0, 1000, 2005, 2100])
def test_a_late_name_is_noted_however_the_body_was_cut(cut):
    raw = chat("derivative " + "y" * 2000, None, late="law-expert")
    p = Playbook(policy_of())
    p >> headers() << nothing
    p >> body(raw[:cut])
    p.take()
    p >> body(raw[cut:], end=True)
    p.take()
    assert p.decision.decision.model == "math-expert"
    assert noted(p)[NoteKind.LATE_MODEL_NAME] == "law-expert"


def test_a_name_that_came_in_time_is_no_late_one_whatever_became_of_it():
    raw = chat("derivative", None, late="law-expert")
    p = Playbook(policy_of(), scorer=None)
    p >> headers() << nothing
    p >> body(raw, end=True) << header_reply(model="law-expert")
    p << chunks(raw, end=True)
    assert NoteKind.LATE_MODEL_NAME not in noted(p)


def test_digests_go_where_a_later_duplicate_may_still_be_edited():
    front = chat("hello " + "y" * 3000, "law-expert")[:-1]
    p = Playbook(policy_of())
    p >> headers(extra={"content-digest": "sha-256=:eA==:"}) << nothing
    p >> body(front) << header_reply(model="law-expert", removed=("content-digest",))
    p << chunks(front)
    p >> body(b',"model":"math-expert"}', end=True) << chunks(b',"model":"law-expert"}', end=True)


# -- answers and timers ---------------------------------------------------------------------------

ANSWERS = PLAIN.replace(
    "    - name: thinking_decision\n      priority: 20\n",
    "    - name: blocked\n      priority: 30\n"
    "      rules: {operator: OR, conditions: [{type: keyword, name: forbidden}]}\n"
    '      plugins: [{type: fast_response, configuration: {message: "No."}}]\n'
    "      blocking: false\n"
    "    - name: thinking_decision\n      priority: 20\n",
).replace(
    "    keywords:\n",
    "    keywords:\n      - {name: forbidden, operator: OR, keywords: [forbidden]}\n",
)


def test_an_answer_of_ours_stays_one_though_a_name_comes_behind_it():
    p = Playbook(policy_of(ANSWERS))
    p >> headers() << nothing
    p >> body(b'{"messages":[{"role":"user","content":"forbidden"}],') << nothing
    p >> pressure() << nothing
    p >> body(b'"model":"law-expert"}', end=True) << refused(200)
    assert NoteKind.FAULT not in noted(p)


def test_a_body_that_is_read_for_a_name_only_passes_when_the_gateways_clock_runs_out():
    p = Playbook(policy_of(), mode=BodyMode.STREAMED)
    p >> headers(NAMED_PATH) << untouched_headers()
    p >> body(b'{"input":"') << nothing
    p >> timer(Timer.MESSAGE) << whole(b'{"input":"')
    p >> body(b'x"}', end=True) << whole()
    p.done()


# -- faults ---------------------------------------------------------------------------------------


def test_a_fault_behind_the_commit_is_a_refusal_while_nobody_has_seen_the_commit(monkeypatch):
    def fails(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr(FullDuplex, "release", fails)
    p = Playbook(policy_of())
    p >> headers() << nothing
    p >> body(chat("derivative", "law-expert"), end=True) << refused(500)
    assert noted(p)[NoteKind.FAULT] == "MemoryError"
    assert not p.made.decided
    assert p.exchange.decision is None


@pytest.mark.parametrize("mode", [BodyMode.FULL_DUPLEX_STREAMED, BodyMode.BUFFERED])
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_a_fault_while_headers_are_rendered_is_a_fallback_like_any_other(monkeypatch, mode, coding):
    """The body was committed for the decision that could not be told."""
    real = modes._committed

    def fails_once(facts, what, leaving, **options):
        if what.rewrite.model == "math-expert":
            raise MemoryError
        return real(facts, what, leaving, **options)

    monkeypatch.setattr(modes, "_committed", fails_once)
    raw = chat("derivative")
    p = Playbook(policy_of(), mode=mode)
    p >> headers(extra=GZIP if coding else None)
    p.take()
    p >> body(gzip.compress(raw) if coding else raw, end=True)
    p.take()
    p.done(raw.replace(b'"auto"', b'"base-model"') if mode > BodyMode.BUFFERED_PARTIAL else None)
    (decided,) = p.made.decided
    assert (decided.decision.basis, decided.decision.model) == ("fallback", "base-model")
    assert noted(p)[NoteKind.FAULT] == "MemoryError"
