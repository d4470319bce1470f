"""Paths that nobody routes: which names are refused, what is edited, and what passes unread."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass, field, replace

import pytest
from playbook import (
    DIALECTS,
    PLAIN,
    Playbook,
    body,
    chunks,
    headers,
    nothing,
    policy_of,
    pressure,
    refused,
    timer,
    trailer_reply,
    trailers,
    untouched_headers,
    whole,
)

from srd.exchange.commands import NoteKind
from srd.exchange.errors import ExchangeBug
from srd.exchange.events import BodyMode, Timer
from srd.exchange.modes import FullDuplex
from srd.exchange.policy import Policy

POLICY = policy_of(PLAIN)
BLOCKING = policy_of(
    PLAIN.replace(
        "modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]",
        'plugins: [{type: fast_response, configuration: {message: "No."}}]',
    )
)
GZIP = {"content-encoding": "gzip"}
NOISE = random.Random(7).randbytes(40_000).hex().encode()
EMBED, BATCHES = "/v1/embeddings", "/v1/messages/batches"
PARTIAL = BodyMode.BUFFERED_PARTIAL
MODES = [mode for mode in BodyMode if mode > BodyMode.NONE]
CUTS = [1, 13, 100_000]


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


def noted(play: Playbook) -> list[tuple[NoteKind, str]]:
    return [(note.kind, note.detail) for note in play.made.notes]


@dataclass
class Run:
    """One request, and what its replies made of it."""

    play: Playbook
    left: bytes = b""
    removed: set[str] = field(default_factory=set)
    added: dict[str, bytes] = field(default_factory=dict)

    @property
    def status(self) -> int | None:
        refused = self.play.gateway.refused
        return None if refused is None else refused.status

    @property
    def said(self) -> str:
        refused = self.play.gateway.refused
        assert refused is not None
        return json.loads(refused.body)["error"]["message"]

    @property
    def notes(self) -> list[tuple[NoteKind, str]]:
        return noted(self.play)

    def passed(self, wanted: bytes) -> Run:
        """It passed as `wanted`, and nobody claims to have decided anything."""
        self.play.done()
        assert self.status is None
        assert self.left == wanted
        assert not self.play.made.decided
        assert "x-selected-model" not in self.added
        return self


def run(
    raw: bytes,
    path: str,
    *,
    policy: Policy = POLICY,
    mode: BodyMode = BodyMode.FULL_DUPLEX_STREAMED,
    cut: int = 1 << 20,
    dialect: str = "envoy",
    **extra: str,
) -> Run:
    """One request from its headers to its end; BUFFERED and its like take one message."""
    found = Run(Playbook(policy, dialect, mode=mode))
    sent = {name.replace("_", "-"): value for name, value in extra.items()}
    if mode in (BodyMode.BUFFERED, PARTIAL):
        cut = len(raw)
    messages = [raw[at : at + cut] for at in range(0, len(raw), cut)]
    unanswered = list(messages)
    found.play >> headers(path, extra=sent)
    replies = found.play.take()
    for number, message in enumerate(messages, 1):
        if found.status is None:
            found.play >> body(message, end=number == len(messages))
            replies += found.play.take()
    for reply in replies:
        found.removed |= set(reply.remove_headers)
        found.added |= dict(reply.set_headers)
        if reply.kind == "request_body":
            came = b"" if mode is BodyMode.FULL_DUPLEX_STREAMED else unanswered.pop(0)
            found.left += came if reply.body is None else reply.body
    return found


def batch(*models: object, top: object = None, pad: int = 0) -> bytes:
    document: dict[str, object] = {
        "requests": [
            {"custom_id": str(n), "params": {"max_tokens": 1, "model": model, "messages": []}}
            for n, model in enumerate(models)
        ]
    }
    document["pad"] = "x" * pad
    return json.dumps(document | ({} if top is None else {"model": top})).encode()


# -- a second model --------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("later", [b'"auto"', b'"other"', b"null", b"[1]"])
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_a_later_model_becomes_the_first_and_nothing_else_is_edited(dialect, mode, later, coding):
    raw = (
        b'{"model":"e5","input":"a","input":"b","pad":"'
        + b"x" * 3000
        + b'","model":'
        + later
        + b"}"
    )
    sent = gzip.compress(raw) if coding else raw
    extra = {"content_encoding": coding} if coding else {}
    length = str(len(sent))
    found = run(sent, EMBED, mode=mode, dialect=dialect, content_length=length, **extra)
    wanted = raw.replace(b'"model":' + later, b'"model":"e5"')
    found.passed(wanted)
    assert ("content-encoding" in found.removed) is bool(coding)
    exact = found.added.get("content-length") == b"%d" % len(wanted)
    assert exact or "content-length" in found.removed
    assert found.notes == [(NoteKind.DUPLICATE_KEY, "model")]


@pytest.mark.parametrize("cut", CUTS)
def test_a_later_model_becomes_the_first_however_the_body_is_cut(cut):
    raw = b'{"model":"e5","pad":"' + b"x" * 3000 + b'","model":"auto"}'
    found = run(raw, EMBED, cut=cut)
    found.passed(raw.replace(b"auto", b"e5"))


@pytest.mark.parametrize("mode", [BodyMode.FULL_DUPLEX_STREAMED, BodyMode.BUFFERED, PARTIAL])
def test_a_packed_body_with_one_model_leaves_as_it_came(dialect, mode):
    packed = gzip.compress(b'{"model":"e5","input":"a","input":"b"}')
    found = run(packed, EMBED, mode=mode, dialect=dialect, content_encoding="gzip")
    found.passed(packed)
    assert "content-encoding" not in found.removed
    assert found.notes == []


@pytest.mark.parametrize("first", [b"null", b'""', b'" "', b"7", b"{}"])
@pytest.mark.parametrize("cut", CUTS)
def test_where_the_first_says_nothing_every_name_counts(first, cut):
    front = b'{"model":' + first + b',"input":"x","model":'
    found = run(front + b'"auto"}', EMBED, cut=cut)
    assert '"auto" is not routed' in found.said
    found.play.done(b"")
    other = front + b'"e5"}'
    run(other, EMBED, cut=cut).passed(other)


@pytest.mark.parametrize("cut", CUTS)
def test_a_name_before_the_json_breaks_counts_as_it_does_in_whole_json(cut):
    found = run(b'{"model":"auto","input":"x",}', EMBED, cut=cut)
    assert '"auto" is not routed' in found.said
    raw = b'{"model":"e5","model":"auto","input":"x",}'
    found = run(raw, EMBED, cut=cut)
    found.passed(raw.replace(b"auto", b"e5"))
    assert found.notes == [(NoteKind.DUPLICATE_KEY, "model")]
    raw = b'{"input":"x",}'
    found = run(raw, EMBED, cut=cut)
    found.passed(raw)
    assert found.notes == [(NoteKind.UNREAD, "unreadable")]


@pytest.mark.parametrize("cut", CUTS)
def test_a_late_name_without_an_earlier_one_passes(cut):
    raw = b'{"input":"' + b"x" * 2000 + b'","model":"auto"}'
    run(raw, EMBED, cut=cut).passed(raw)


@pytest.mark.parametrize("cut", CUTS)
def test_where_no_name_counts_for_routing_an_auto_name_is_still_refused_here(cut):
    policy = policy_of(PLAIN.replace("early_decision: {", "early_decision: {late_model_bytes: 0, "))
    found = run(b'{"input":"x","model":"auto"}', EMBED, policy=policy, cut=cut)
    assert '"auto" is not routed' in found.said


def test_damage_in_a_body_that_must_be_edited_is_refused():
    packed = bytearray(gzip.compress(b'{"model":"e5","model":"auto","input":"' + NOISE + b'"}'))
    packed[-6] ^= 1
    found = run(bytes(packed), EMBED, content_encoding="gzip")
    assert found.status == 400


# -- batches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.parametrize(
    "raw",
    [batch("auto"), batch("m1", "m2", " auto "), batch("m1", top="auto"), batch(None, 3, "auto")],
)
def test_an_auto_name_anywhere_in_a_batch_is_refused_by_name(dialect, mode, coding, raw):
    sent = gzip.compress(raw) if coding else raw
    extra = {"content_encoding": coding} if coding else {}
    found = run(sent, BATCHES, mode=mode, dialect=dialect, **extra)
    assert '"auto" is not routed on /v1/messages/batches' in found.said
    found.play.done(b"")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("policy", [POLICY, BLOCKING])
def test_a_batch_of_concrete_names_passes_untouched(dialect, mode, policy):
    raw = batch("m1", "m2", "m1", top="m3", pad=5000)
    found = run(raw, BATCHES, mode=mode, policy=policy, dialect=dialect, cut=700)
    found.passed(raw)
    assert found.notes == []


@pytest.mark.parametrize("cut", CUTS)
def test_a_name_far_behind_where_one_counts_for_routing_is_refused_in_a_batch(cut):
    raw = batch(*(f"m{n}" for n in range(100)), "auto")
    assert 4000 < len(raw) < 20_000
    found = run(raw, BATCHES, cut=cut)
    assert found.status is not None
    found.play.done(b"")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("coding", [None, "gzip"])
def test_a_batch_too_large_to_be_read_passes_and_is_counted_or_refused(dialect, mode, coding):
    raw = batch("m1", pad=30_000)[:-1] + b',"requests":[{"params":{"model":"auto"}}]}'
    sent = gzip.compress(raw) if coding else raw
    extra = {"content_encoding": coding} if coding else {}
    found = run(sent, BATCHES, mode=mode, dialect=dialect, **extra)
    found.passed(raw if coding and mode in (BodyMode.STREAMED,) else sent)
    assert found.notes == [(NoteKind.UNREAD, "batch")]
    found = run(sent, BATCHES, policy=BLOCKING, mode=mode, dialect=dialect, **extra)
    assert found.status == 413
    found.play.done(b"")


def test_a_batch_with_more_names_than_are_kept_is_one_that_cannot_be_read():
    policy = policy_of(PLAIN.replace("max_held_bytes: 20000", "max_held_bytes: 900000"))
    raw = batch(*(f"m{n}" for n in range(1025)))
    assert run(raw, BATCHES, policy=policy).notes == [(NoteKind.UNREAD, "batch")]
    raw = batch(*(f"m{n % 1024}" for n in range(2000)))
    assert run(raw, BATCHES, policy=policy).notes == []


@pytest.mark.parametrize("policy", [POLICY, BLOCKING])
@pytest.mark.parametrize("gives_up", [timer(Timer.MESSAGE), pressure()])
def test_a_batch_is_not_held_longer_than_its_gateway_waits(dialect, policy, gives_up):
    raw = batch("m1", "auto")
    play = Playbook(policy, dialect, mode=BodyMode.STREAMED)
    play >> headers(BATCHES) << untouched_headers()
    play >> body(raw[:60]) << nothing
    play >> gives_up
    if policy is BLOCKING:
        play << refused(413)
        return
    play << whole(raw[:60])
    play >> body(raw[60:], end=True) << whole()
    assert noted(play) == [(NoteKind.UNREAD, "batch")]


def test_a_batch_that_breaks_passes_unless_a_name_was_read_before():
    raw = batch("m1")[:-1] + b",]"
    found = run(raw, BATCHES, policy=BLOCKING)
    found.passed(raw)
    assert found.notes == [(NoteKind.UNREAD, "unreadable")]
    assert '"auto"' in run(batch("auto")[:-1] + b",]", BATCHES).said


# -- prefixes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [POLICY, BLOCKING])
@pytest.mark.parametrize("coding", [None, "gzip"])
@pytest.mark.parametrize(
    "raw", [b'{"input":"x', b'{"model":"e5","input":"x', b'{"model":null,"input":"x']
)
def test_a_prefix_on_such_a_path_passes_whatever_a_rule_blocks(dialect, policy, coding, raw):
    sent = gzip.compress(raw + NOISE)[:-9] if coding else raw
    play = Playbook(policy, dialect, mode=PARTIAL)
    play >> headers(EMBED, extra=GZIP if coding else None) << untouched_headers()
    play >> body(sent)
    (reply,) = play.take()
    assert reply.body in (None, sent)
    assert "content-encoding" not in reply.remove_headers
    play.done()
    assert noted(play) == []


@pytest.mark.parametrize("coding", [None, "gzip"])
def test_an_auto_name_in_a_prefix_is_refused(dialect, coding):
    raw = b'{"model":"auto","input":"' + b"xy z" * 9000
    sent = gzip.compress(raw)[:-9] if coding else raw
    play = Playbook(POLICY, dialect, mode=PARTIAL)
    play >> headers(EMBED, extra=GZIP if coding else None) << untouched_headers()
    play >> body(sent) << refused(400)


def test_a_second_model_in_a_prefix_becomes_the_first_unless_it_is_packed():
    raw = b'{"model":"e5","model":"auto","input":"' + b"xy z" * 9000
    play = Playbook(POLICY, mode=PARTIAL)
    play >> headers(EMBED) << untouched_headers()
    play >> body(raw) << whole(raw.replace(b"auto", b"e5"), removed=("content-length",))
    packed = gzip.compress(raw)[:-9]
    play = Playbook(POLICY, mode=PARTIAL)
    play >> headers(EMBED, extra=GZIP) << untouched_headers()
    play >> body(packed) << whole(None)


@pytest.mark.parametrize("coding", [None, "gzip"])
def test_trailers_behind_a_body_that_fitted_change_nothing(dialect, coding):
    raw = b'{"model":"e5","input":"x","model":"auto"}'
    play = Playbook(POLICY, dialect, mode=PARTIAL)
    play >> headers(EMBED, extra=GZIP if coding else None) << untouched_headers()
    play >> body(gzip.compress(raw) if coding else raw) << whole(raw.replace(b"auto", b"e5"))
    play >> trailers() << trailer_reply()
    play.done()


@pytest.mark.parametrize("raw", [batch("m1"), batch("m1", "auto")])
def test_a_batch_of_which_a_prefix_came_is_unread(raw):
    for policy in (POLICY, BLOCKING):
        play = Playbook(policy, mode=PARTIAL)
        play >> headers(BATCHES) << untouched_headers()
        play >> body(raw[:40]) << (refused(413) if policy is BLOCKING else whole(None))


# -- what pretends to be ours, and faults ----------------------------------------------------------


@pytest.mark.parametrize("mode", [BodyMode.FULL_DUPLEX_STREAMED, BodyMode.BUFFERED])
def test_what_a_client_must_not_say_goes_and_no_decision_is_claimed(dialect, mode):
    found = run(
        b'{"model":"e5","model":"auto"}', EMBED, mode=mode, dialect=dialect,
        x_selected_model="evil", content_digest="sha-256=:eA==:",
    )  # fmt: skip
    assert "x-selected-model" in found.removed
    assert "content-digest" in found.removed


def test_a_fault_where_nothing_is_routed_is_a_500_and_never_the_default_model(monkeypatch):
    def fails(*_args: object, **_options: object) -> object:
        raise ExchangeBug("injected")

    monkeypatch.setattr(FullDuplex, "commit", fails)
    play = Playbook(replace(POLICY))
    play >> headers(EMBED) >> body(b'{"model":"e5"}', end=True) << refused(500)
    assert noted(play) == [(NoteKind.FAULT, "ExchangeBug")]
    assert not play.made.decided


def test_an_edited_body_in_full_duplex_says_its_length_or_none():
    front, rest = b'{"model":"e5","input":"', b'x","model":"auto"}'
    play = Playbook(POLICY)
    play >> headers(EMBED, extra={"content-length": str(len(front + rest))}) << nothing
    play >> body(front) << [untouched_headers(removed=("content-length",)), chunks(front)]
    play >> body(rest, end=True) << chunks(rest.replace(b"auto", b"e5"), end=True)
