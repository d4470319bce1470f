"""The request half: what is committed once, what waits, and what passes without a decision."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace

import pytest
import zstandard
from playbook import (
    CONFIG,
    DIALECTS,
    PLAIN,
    Playbook,
    body,
    by_words,
    chunks,
    header_reply,
    headers,
    no_scores,
    nothing,
    policy_of,
    pressure,
    refused,
    reset,
    scores,
    timer,
    trailer_reply,
    trailers,
    untouched_headers,
)

from srd.body.body import Unsendable
from srd.decide.decision import Basis
from srd.exchange.commands import AskClassifier, Decided, DropAsk, NoteKind, ReplyChunk
from srd.exchange.errors import ExchangeBug
from srd.exchange.events import BodyArrived, BodyMode, RoomMade, ScoresArrived, Timer, TimerFired
from srd.exchange.policy import Policy
from srd.exchange.states import State

POLICY = replace(policy_of(PLAIN), memo=None)  # no test remembers another
CANNED = policy_of(
    PLAIN.replace(
        "modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]",
        'blocking: false\n      plugins: [{type: fast_response, configuration: {message: "No."}}]',
    )
)
BLOCKING = policy_of(
    PLAIN.replace(
        "modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]",
        'plugins: [{type: fast_response, configuration: {message: "No."}}]',
    )
)
TAIL_TEXT = CONFIG.replace("early_decision: {", "early_decision: {tail_insertion: true, ").replace(
    "{name: thinking, ", "{name: thinking, scope: full, "
)
ROOMY = policy_of(
    PLAIN.replace("  router:\n", "  router:\n    limits: {max_inflate_ratio: 9999}\n")
)
MATH = b'{"model":"auto","messages":[{"role":"user","content":"the derivative of x^3?"}]}'
BIG = MATH.replace(b"x^3?", b"x^3? " * 900)


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


def kinds(play: Playbook) -> list[NoteKind]:
    return [note.kind for note in play.made.notes]


# -- packed bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_few_kilobytes_that_inflate_to_megabytes_leave_as_there_is_room(dialect, pieces):
    """`more` until all has left; what is held meanwhile is what came, not what it becomes."""
    raw = MATH.replace(b"x^3?", b"x^3? " * 1_200_000)
    packed = zstandard.compress(raw)
    assert len(packed) < 10_000
    play = Playbook(ROOMY, dialect)
    exchange, rooms = play.exchange, 0
    play >> headers(extra={"content-encoding": "zstd"})
    out = bytearray()

    def leave(commands) -> None:
        for command in commands:
            if isinstance(command, ReplyChunk):
                out.extend(command.data)

    step = len(packed) // pieces + 1
    for at in range(0, len(packed), step):
        event = BodyArrived("request", packed[at : at + step], at + step >= len(packed))
        for command in exchange.receive(event, 1.0):
            if isinstance(command, AskClassifier):
                answer = ScoresArrived(command.ask_id, by_words(command.ask))
                leave(exchange.receive(answer, 1.0))
            leave([command])
        while exchange.more:
            assert exchange.held < 200_000
            assert exchange.owes
            rooms += 1
            before = len(out)
            leave(exchange.receive(RoomMade(), 1.0))
            assert len(out) - before <= 1_200_000
    assert rooms >= 4
    assert bytes(out) == raw.replace(b"auto", b"math-expert")
    assert exchange.request.state is State.DONE
    assert exchange.held == 0
    assert exchange.receive(RoomMade(), 1.0) == []


def test_a_late_duplicate_of_a_packed_body_ends_it_before_that_piece_leaves(dialect):
    """The front left as it came; the piece that would need an edit does not follow it."""
    named = BIG.replace(b"auto", b"law-expert")
    noise = random.Random(7).randbytes(9000).hex().encode()
    raw = named[:-1] + b',"pad":"' + noise + b'","model":"base-model"}'
    packed = gzip.compress(raw)
    play = Playbook(POLICY, dialect)
    play >> headers(extra={"content-encoding": "gzip"}) >> body(packed[:2000])
    first, *_ = play.take()
    assert first.header("x-selected-model") == b"law-expert"
    assert "content-encoding" not in first.remove_headers
    left = bytes(play.gateway.upstream)
    assert left == packed[:2000]
    with pytest.raises(Unsendable):
        play >> body(packed[2000:], end=True)
    assert bytes(play.gateway.upstream) == left
    assert not play.gateway.ended
    play >> reset() << nothing
    with pytest.raises(Exception, match=r"unexpected end|Compressed file ended"):
        gzip.decompress(left)


# -- read for a name -------------------------------------------------------------------------------

NAMED = ["/v1/embeddings", "/v1/messages/count_tokens", "/v1/responses/compact"]


@pytest.mark.parametrize("mode", [mode for mode in BodyMode if mode > BodyMode.NONE])
@pytest.mark.parametrize("path", NAMED)
def test_an_auto_name_on_a_path_that_nobody_routes_is_refused_by_name(dialect, path, mode):
    play = Playbook(POLICY, dialect, mode=mode)
    play >> headers(path)
    play.take()
    play >> body(b'{"input":"x","model":"auto"}', end=True)
    (reply,) = play.take()
    assert reply.status == 400
    said = json.loads(reply.body)["error"]["message"]
    assert '"auto"' in said
    assert path in said
    play.done(b"")


@pytest.mark.parametrize(
    "raw", [b'{"model":"e5","input":"x"}', b'{"input":"x"}', b"[]", b"no json", b""]
)
@pytest.mark.parametrize("cut", [1, 100])
def test_any_other_body_of_such_a_path_passes_untouched(dialect, raw, cut):
    play = Playbook(BLOCKING, dialect)
    play >> headers("/v1/embeddings")
    for at in range(0, len(raw), cut):
        play >> body(raw[at : at + cut])
        play.take()
    play >> body(end=True)
    play.take()
    play.done(raw)
    assert not play.made.decided
    assert "x-selected-model" not in play.gateway.request_headers


@pytest.mark.parametrize(
    "gives_up", [timer(Timer.IDLE), timer(Timer.DEADLINE), timer(Timer.MESSAGE), pressure()]
)
def test_a_body_that_is_only_read_for_a_name_is_not_held_longer_than_its_gateway_waits(
    dialect, gives_up
):
    front, rest = b'{"input":["a","b"],"user":"u"', b',"model":"e5"}'
    play = Playbook(POLICY, dialect, mode=BodyMode.STREAMED)
    play >> headers("/v1/embeddings") << untouched_headers()
    play >> body(front) << nothing
    play >> gives_up
    replies = play.take()
    if replies[0].kind == "immediate":  # nothing was known of it at all
        assert replies[0].status == 408
        return
    assert [reply.body for reply in replies] == [front]
    play >> body(rest, end=True)
    play.take()
    play.done()
    assert not play.made.decided


def test_a_name_is_looked_for_as_far_as_one_counts(dialect):
    play = Playbook(POLICY, dialect)
    play >> headers("/v1/embeddings") >> body(b'{"input":"' + b"x" * 1990)
    play << [untouched_headers(), chunks(b'{"input":"' + b"x" * 1990)]
    play >> body(b'"}', end=True) << chunks(b'"}', end=True)
    play.done()


# -- an answer of our own --------------------------------------------------------------------------

BLOCKED = b'{"model":"auto","messages":[{"role":"user","content":"' + b"think " * 700 + b'"}]'


def answering(dialect: str = "envoy", **options: object) -> Playbook:
    play = Playbook(CANNED, dialect, scorer=None, **options)  # type: ignore[arg-type]
    play >> headers() >> body(BLOCKED) << nothing
    assert play.exchange.request.state is State.ANSWERING
    return play


@pytest.mark.parametrize(
    ("rest", "kind"),
    [
        (b',"stream":true}', b"text/event-stream"),
        (b',"stream":false}', b"application/json"),
        (b',"n":1}', b"application/json"),
        (b',"stream":true, no json', b"text/event-stream"),
        (b", no json", b"application/json"),
    ],
)
def test_an_answer_waits_for_stream_or_the_end_and_holds_nothing(dialect, rest, kind):
    play = answering(dialect)
    assert play.exchange.held == 0
    for _ in range(20):
        play >> body(b',"pad":"' + b"x" * 5000 + b'"') << nothing
        assert play.exchange.held < 100
    assert not play.made.decided
    play >> body(rest, end=True)
    (reply,) = play.take()
    assert reply.status == 200
    assert dict(reply.set_headers)["content-type"].startswith(kind)
    assert play.decision.decision.name == "thinking_decision"
    play.done(b"")


@pytest.mark.parametrize("which", [Timer.IDLE, Timer.DEADLINE, Timer.MESSAGE])
def test_an_answer_does_not_wait_for_ever(dialect, which):
    play = answering(dialect)
    play >> timer(Timer.BUDGET) << nothing
    play >> timer(which) << refused(200)
    play.done(b"")


def test_trailers_end_the_wait_of_an_answer(dialect):
    play = answering(dialect)
    play >> body(b"}") << refused(200)
    play.done(b"")
    play = answering(dialect)
    play >> trailers()
    (reply,) = play.take()
    assert reply.status == 200


@pytest.mark.parametrize("later", [b',"model":"law-expert"', b',"messages":[]', b',"n":2'])
def test_what_comes_while_an_answer_waits_does_not_change_it(dialect, later):
    """A name, a timer, pressure: the answer is promised."""
    front = b'{"messages":[{"role":"user","content":"' + b"think " * 700 + b'"}]'
    text = PLAIN.replace("early_decision: {", "early_decision: {late_model_bytes: 20000, ").replace(
        "modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]",
        'blocking: false\n      plugins: [{type: fast_response, configuration: {message: "No."}}]',
    )
    play = Playbook(policy_of(text), dialect, scorer=None)
    play >> headers() >> body(front) << nothing
    play >> pressure()
    assert play.exchange.request.state is State.ANSWERING
    play >> body(later) << nothing
    play >> pressure() << nothing
    play >> scores("law") << nothing
    play >> body(b',"stream":true}', end=True) << refused(200)
    assert play.decision.decision.basis == "pressure"
    assert kinds(play) == []
    play.done(b"")


# -- passing by ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", BodyMode)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/upload"])
@pytest.mark.parametrize("end", [True, False])
def test_credentials_of_users_reach_no_backend_on_any_path(dialect, mode, path, end):
    providers = ("openai", "anthropic", "azure-openai", "bedrock", "gemini", "vertex-ai", "minimax")
    keys = {f"x-user-{name}-key": "sk-secret" for name in providers}
    announced = None if mode is BodyMode.UNKNOWN else mode
    play = Playbook(POLICY, dialect, mode=announced)
    play >> headers(path, extra=keys | {"x-user-name": "u"}, end=end)
    play.take()
    if not end and mode is not BodyMode.NONE:
        play >> body(MATH.replace(b"auto", b"law-expert"), end=True)
        play.take()
    play.done()
    assert b"sk-secret" not in play.gateway.request_headers.values()
    assert play.gateway.request_headers["x-user-name"] == b"u"


@pytest.mark.parametrize(
    ("fields", "kind", "why"),
    [
        ({"content-encoding": "snappy"}, "text/plain", "content_encoding"),
        ({"content-encoding": "snappy"}, "application/json", "content_encoding"),
    ],
)
def test_what_stays_unread_on_our_paths_is_noted_or_refused(dialect, fields, kind, why):
    play = Playbook(POLICY, dialect)
    play >> headers(extra=fields, content_type=kind) << untouched_headers()
    play >> body(MATH, end=True) << chunks(MATH, end=True)
    assert [(note.kind, note.detail) for note in play.made.notes] == [(NoteKind.UNREAD, why)]
    play.done(MATH)
    play = Playbook(BLOCKING, dialect)
    play >> headers(extra=fields, content_type=kind) << refused(415)
    play.done(b"")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_json_of_another_type_is_routed(dialect, kind):
    play = Playbook(POLICY, dialect)
    play >> headers(content_type=kind) << nothing
    play >> body(MATH, end=True) << header_reply(model="math-expert")
    play << chunks(MATH.replace(b'"auto"', b'"math-expert"'), end=True)
    play.done()


BROKEN = (
    b"a=1&b=2",
    MATH[:-1] + b",}",
    b"//x\n" + MATH,
    MATH + MATH,
    MATH.decode().encode("utf-16"),
)


@pytest.mark.parametrize("data", BROKEN)
@pytest.mark.parametrize("mode", [m for m in BodyMode if m.value > 0])
def test_what_is_no_json_is_refused_by_its_type_or_passes_as_it_came(dialect, mode, data):
    for policy in (POLICY, BLOCKING):
        play = Playbook(policy, dialect, mode=mode)
        play >> headers()
        play.take()
        play >> body(data, end=True) << refused(400)
        play.done()
    play = Playbook(POLICY, dialect, mode=mode)
    play >> headers(content_type="text/plain")
    play.take()
    play >> body(data, end=True)
    last = play.take()[-1]
    assert last.kind == "request_body"
    assert last.body in (None, data)
    assert [(n.kind, n.detail) for n in play.made.notes] == [(NoteKind.UNREAD, "content_type")]
    play.done()
    play = Playbook(BLOCKING, dialect, mode=mode)
    play >> headers(content_type="text/plain")
    play.take()
    play >> body(data, end=True) << refused(415)
    play.done()


def test_a_damaged_coding_of_another_type_passes_as_it_came(dialect):
    packed = gzip.compress(MATH)[:-9]
    fields = {"content-encoding": "gzip"}
    play = Playbook(POLICY, dialect)
    play >> headers(extra=fields, content_type="text/plain") << nothing
    play >> body(packed, end=True) << untouched_headers() << chunks(packed, end=True)
    play.done(packed)
    for policy, kind, status in (
        (POLICY, "application/json", 400),
        (BLOCKING, "application/json", 400),
        (BLOCKING, "text/plain", 415),
    ):
        play = Playbook(policy, dialect)
        play >> headers(extra=fields, content_type=kind) << nothing
        play >> body(packed, end=True) << refused(status)
        play.done(b"")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_refusal_names_its_request(dialect, path):
    play = Playbook(POLICY, dialect)
    play >> headers(path) << nothing
    play >> body(b"{", end=True)
    (reply,) = play.take()
    said = json.loads(reply.body or b"")
    assert said["request_id"] == "r-1"
    assert dict(reply.set_headers)["x-request-id"] == b"r-1"
    assert said.get("type") == ("error" if path == "/v1/messages" else None)
    play.done()


def test_identity_that_nobody_may_believe_is_ignored_and_removed(dialect):
    rules = PLAIN.replace(
        "  signals:\n",
        "  signals:\n    role_bindings:\n"
        "      - {name: admins, role: admin, subjects: [{kind: User, name: alice}]}\n",
    ).replace("{type: keyword, name: thinking}", "{type: authz, name: admin}")
    distrusting = rules.replace(
        "global:\n", "global:\n  services: {authz: {identity: {trusted: false}}}\n"
    )
    said = {"x-authz-user-id": "alice", "x-authz-user-groups": "admins"}
    for text, model in ((rules, "general-expert"), (distrusting, "math-expert")):
        play = Playbook(policy_of(text), dialect)
        play >> headers(extra=said) >> body(MATH, end=True)
        play << header_reply(model=model)
        play.take()
        passes = set(said) & play.gateway.request_headers.keys()
        assert passes == (set(said) if text == rules else set())
        play.done()


def test_a_mode_without_bodies_is_noted(dialect):
    play = Playbook(POLICY, dialect, mode=BodyMode.NONE)
    play >> headers() << untouched_headers()
    assert [(note.kind, note.detail) for note in play.made.notes] == [(NoteKind.UNREAD, "mode")]


def test_without_a_header_phase_what_cannot_be_read_passes_and_is_noted(dialect):
    play = Playbook(POLICY, dialect, skip_headers=True)
    play >> body(b"a=1", end=True) << chunks(b"a=1", end=True)
    assert not play.made.decided


@pytest.mark.parametrize("model", [b"auto", b"nobody"])
def test_a_user_who_is_two_is_refused_only_where_a_rule_asks(dialect, model):
    text = PLAIN.replace(
        "  signals:\n",
        "  signals:\n    role_bindings:\n"
        "      - {name: admins, role: admin, subjects: [{kind: User, name: alice}]}\n",
    ).replace("{type: keyword, name: thinking}", "{type: authz, name: admin}")
    play = Playbook(policy_of(text), dialect)
    sent = headers()
    name = next(iter(play.exchange.policy.user_headers))
    twice = (*sent.headers, (name, b"alice"), (name, b"bob"))
    play >> type(sent)(sent.phase, twice) << refused(400)
    play.done(b"")


# -- the commit ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [mode for mode in BodyMode if mode > BodyMode.NONE])
def test_what_is_committed_is_told_once_and_never_changes(dialect, mode):
    play = Playbook(POLICY, dialect, mode=mode)
    play >> headers()
    play.take()
    play >> body(BIG, end=True)
    play.take()
    committed = play.exchange.request.committed
    assert committed is not None
    assert play.made.decided == [Decided(committed.decision)]
    late = [
        *(timer(which) for which in Timer),
        pressure(),
        scores("law"),
        body(b"x", end=True),
        trailers(),
    ]
    for event in late:
        play >> event << nothing
    assert play.exchange.request.committed is committed
    assert len(play.made.decided) == 1
    with pytest.raises(AttributeError):
        committed.decision = None  # type: ignore[misc]


def test_every_timer_is_stopped_and_every_ask_dropped_by_the_commit(dialect):
    play = Playbook(POLICY, dialect, scorer=None)
    play >> headers() >> body(BIG[:2500]) << nothing
    ask = play.exchange.request._asked
    assert ask > 0
    commands = play.exchange.receive(TimerFired(Timer.IDLE), 1.0)
    names = [type(command).__name__ for command in commands]
    assert names[:3] == ["DropAsk", "StopTimers", "Decided"]
    assert commands[0] == DropAsk(ask)
    assert play.exchange.receive(ScoresArrived(ask, by_words(play.made.asks[0])), 1.0) == []
    assert play.exchange.decision is not None
    assert play.exchange.decision.model == "base-model"


# -- mode T ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["end", "trailers"])
@pytest.mark.parametrize("first", [False, True])
def test_mode_t_decides_at_the_end_however_it_began(dialect, ending, first):
    play = Playbook(policy_of(TAIL_TEXT), dialect, skip_headers=first)
    if not first:
        play >> headers() << nothing
    play >> body(MATH.replace(b"x^3?", b"x^3, the derivative. " * 200)[:-1])
    assert play.exchange.request.state is State.TAIL
    assert bytes(play.gateway.upstream)
    play.take()
    assert not play.made.decided
    if ending == "end":
        play >> body(b"}", end=True)
    else:
        play >> body(b"}") >> trailers()
    last = play.take()[-1]
    assert (last.kind == "request_trailers") == (ending == "trailers")
    play.done()
    left = json.loads(bytes(play.gateway.upstream))
    assert left["model"] == play.decision.decision.model == "math-expert"
    assert kinds(play) == []


def test_mode_t_without_any_model_ends_in_an_error_and_never_in_a_late_refusal(dialect):
    text = TAIL_TEXT.replace("    default_model: base-model\n", '    default_model: ""\n')
    play = Playbook(policy_of(text), dialect, scorer=None)
    play >> headers() >> body(BIG[:-2]) << nothing
    for _ in range(8):
        play >> scores("other", 0.2)
        play.take()
    assert play.exchange.request.state is State.TAIL
    play >> body(b"}]", end=False)
    play.take()
    with pytest.raises(ExchangeBug):
        play >> timer(Timer.DEADLINE)
    assert play.gateway.refused is None


# -- trailers in each mode -------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("mode", [mode for mode in BodyMode if mode > BodyMode.NONE])
def test_trailers_are_answered_last_in_every_mode(dialect, mode, waits):
    play = Playbook(POLICY, dialect, mode=mode, scorer=None if waits else by_words)
    duplex = mode is BodyMode.FULL_DUPLEX_STREAMED
    play >> headers()
    play.take()
    play >> body(MATH)
    seen = play.take()
    play >> trailers()
    seen += play.take()
    if waits:
        assert not any(reply.kind == "request_trailers" for reply in seen)
        play >> scores("math")
        seen += play.take()
    *before, last = seen
    assert last.kind == "request_trailers"
    out = b"".join(reply.body or b"" for reply in before if reply.kind == "request_body")
    assert out == MATH.replace(b"auto", b"math-expert")
    assert not any(reply.end_of_stream for reply in seen)
    assert play.gateway.owed == (1 if duplex else 0)
    play.done()


def test_a_header_reply_comes_before_the_trailers_answer_of_a_body_that_is_empty(dialect):
    play = Playbook(POLICY, dialect)
    play >> headers() >> trailers() << [untouched_headers(), trailer_reply()]
    play.done(b"")


def test_named_bodies_are_told_apart_from_decided_ones(dialect):
    play = Playbook(POLICY, dialect)
    named = MATH.replace(b"auto", b"law-expert")
    play >> headers() >> body(named, end=True)
    play << [header_reply("law-expert"), chunks(named, end=True)]
    assert play.decision.decision.basis == "explicit"
    assert play.decision.decision.name is None


# -- what rules that block would refuse ------------------------------------------------------------

_BLOCKED = PLAIN.replace(
    "modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]",
    'blocking: true\n      plugins: [{type: fast_response, configuration: {message: "No."}}]',
).replace("{type: keyword, name: thinking}", "{type: domain, name: other}")


def _blocked(blocking: str, limits: str = "") -> Policy:
    text = f"  router:\n    blocking: {{{blocking}}}\n" + (
        f"    limits: {limits}\n" if limits else ""
    )
    return replace(policy_of(_BLOCKED.replace("  router:\n", text)), memo=None)


SMALL = "{max_request_bytes_held: 4000}"


def _by_deadline(policy: Policy, dialect: str) -> Playbook:
    play = Playbook(policy, dialect, scorer=None)
    play >> headers() >> body(MATH[:-2])
    return play >> timer(Timer.DEADLINE)


def _by_failure(policy: Policy, dialect: str) -> Playbook:
    play = Playbook(policy, dialect, scorer=None)
    return play >> headers() >> body(MATH, end=True) >> no_scores()


def _by_type(policy: Policy, dialect: str) -> Playbook:
    play = Playbook(policy, dialect)
    return play >> headers(content_type="text/plain") >> body(b"no json", end=True)


def _by_prefix(policy: Policy, dialect: str) -> Playbook:
    play = Playbook(policy, dialect, mode=BodyMode.BUFFERED_PARTIAL)
    play >> headers() << header_reply()
    return play >> body(b'{"messages":[')


def _by_tokens(policy: Policy, dialect: str) -> Playbook:
    play = Playbook(policy, dialect)
    raw = b'{"model":"auto","prompt":[1,2,3]}'
    return play >> headers("/v1/completions") >> body(raw, end=True)


def _by_size(policy: Policy, dialect: str) -> Playbook:
    play = Playbook(policy, dialect)
    play >> headers() >> body(BIG[:3000])
    return play >> body(BIG[3000:], end=True)


def _by_batch(policy: Policy, dialect: str) -> Playbook:
    play = Playbook(policy, dialect)
    raw = b'{"requests":[' + b"1," * 12_000 + b"1]}"
    return play >> headers("/v1/messages/batches") >> body(raw, end=True)


REFUSED = [
    (_by_deadline, 503, "policy_unanswered: domain:other", "base-model"),
    (_by_failure, 503, "policy_unanswered: domain:other", "base-model"),
    (_by_type, 415, "content_type", None),
    (_by_prefix, 413, "only_a_part", None),
    (_by_tokens, 415, "hidden_prompt", "base-model"),
    (_by_size, 413, "too_much_held", "math-expert"),
    (_by_batch, 413, "batch", None),
]


def _notes(play: Playbook) -> list[tuple[NoteKind, str]]:
    told = (NoteKind.REFUSED, NoteKind.WOULD_REFUSE)
    return [(note.kind, note.detail) for note in play.made.notes if note.kind in told]


@pytest.mark.parametrize(("send", "status", "reason", "model"), REFUSED)
def test_a_refusal_is_told_with_its_reason_and_never_with_text(
    dialect, send, status, reason, model
):
    play = send(_blocked("mode: enforce", SMALL), dialect)
    (reply,) = [reply for reply in play.take() if reply.kind == "immediate"]
    assert reply.status == status
    assert b"domain" not in reply.body
    assert _notes(play) == [(NoteKind.REFUSED, reason)]


@pytest.mark.parametrize(("send", "status", "reason", "model"), REFUSED)
def test_where_rules_that_block_only_observe_it_is_told_and_the_request_passes(
    dialect, send, status, reason, model
):
    play = send(_blocked("mode: observe", SMALL), dialect)
    assert not [reply for reply in play.take() if reply.kind == "immediate"]
    assert _notes(play) == [(NoteKind.WOULD_REFUSE, reason)]
    assert [made.decision.model for made in play.made.decided] == ([model] if model else [])


@pytest.mark.parametrize(("send", "status", "reason", "model"), REFUSED)
def test_where_errors_are_allowed_it_passes_as_upstream_has_it(
    dialect, send, status, reason, model
):
    play = send(_blocked("on_error: allow", SMALL), dialect)
    assert not [reply for reply in play.take() if reply.kind == "immediate"]
    assert _notes(play) == []


def test_what_is_observed_is_held_as_it_would_be_enforced(dialect):
    """Else a request would be counted that could have been evaluated."""
    raw = MATH.replace(b"x^3?", b"x^3? " * 8000)
    for blocking in ("mode: enforce", "mode: observe"):
        play = Playbook(_blocked(blocking), dialect)
        play >> headers()
        for at in range(0, len(raw), 5000):
            play >> body(raw[at : at + 5000], end=at + 5000 >= len(raw))
            play.take()
        assert play.decision.decision.model == "math-expert"
        assert play.decision.decision.basis is Basis.COMPLETE
        assert _notes(play) == []


def test_a_refusal_that_has_nothing_to_do_with_rules_is_told_too(dialect):
    play = Playbook(POLICY, dialect) >> headers() >> body(b"{]", end=True)
    play << refused(400)
    assert _notes(play) == [(NoteKind.REFUSED, "malformed")]
