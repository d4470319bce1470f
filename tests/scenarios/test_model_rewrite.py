"""The model's name is replaced, and nothing else."""

from __future__ import annotations

import json

import pytest
from playbook import (
    CONFIG,
    PLAIN,
    body,
    chunks,
    header_reply,
    headers,
    nothing,
    policy_of,
    refused,
    timer,
)

from srd.exchange.commands import NoteKind
from srd.exchange.events import Timer

KEYWORDS = "{type: keyword, name: thinking}"
USER = '{"role":"user","content":"the derivative of x^3?"}'
MATH = f'{{"model":"auto","messages":[{USER}]}}'.encode()


def routed(play, raw: bytes, *, model: str = "math-expert", **options: object) -> bytes:
    """Send a small body whole; what the upstream gets."""
    p = play(**options)
    p >> headers(extra={"content-length": str(len(raw))}) >> body(raw, end=True)
    replies = p.take()
    assert replies[0].header("x-selected-model") == model.encode(), replies[0]
    p.done()
    return bytes(p.gateway.upstream)


def test_026_only_the_value_of_model_differs(play):
    raw = b'{ "model" : "auto" ,\n "x":1e400, "messages":[' + USER.encode() + b'], "seed": 007e1 }'
    raw = raw.replace(b"007e1", b"7E+01")
    assert routed(play, raw) == raw.replace(b"auto", b"math-expert")


@pytest.mark.parametrize("name", ["math-expert", "m", "auto"])
def test_027_028_content_length_follows_the_new_name(play, dialect, name):
    text = PLAIN.replace("math-expert", name)
    p = play(policy=policy_of(text))
    p >> headers(extra={"content-length": str(len(MATH))}) >> body(MATH, end=True)
    reply = p.take()[0]
    p.done(MATH.replace(b"auto", name.encode()))
    length = reply.header("content-length")
    if len(name) == len("auto"):
        assert length is None
        assert "content-length" not in reply.remove_headers
    elif dialect == "envoy":
        assert length == str(len(p.gateway.upstream)).encode()
    else:
        assert "content-length" in reply.remove_headers


def test_029_an_early_decision_knows_the_length_or_removes_it(play):
    text = "the derivative of x^3? " * 300
    raw = f'{{"model":"auto","messages":[{{"role":"user","content":"{text}"}}]}}'.encode()
    p = play()
    p >> headers(extra={"content-length": str(len(raw))}) >> body(raw[:3000])
    reply = p.take()[0]
    p >> body(raw[3000:], end=True)
    p.take()
    p.done()
    length = reply.header("content-length")
    if length is not None:
        assert int(length) == len(p.gateway.upstream)
    else:
        assert "content-length" in reply.remove_headers


def test_030_without_a_length_none_is_set(play):
    p = play()
    p >> headers() >> body(MATH, end=True)
    reply = p.take()[0]
    assert reply.header("content-length") is None
    assert "content-length" not in reply.remove_headers


def test_031_model_after_messages(play):
    raw = f'{{"messages":[{USER}],"model":"auto"}}'.encode()
    assert routed(play, raw) == raw.replace(b"auto", b"math-expert")


def test_032_model_last_in_a_body_far_over_the_cap(play):
    text = "the derivative of x^3? " * 3000
    raw = f'{{"messages":[{{"role":"user","content":"{text}"}}],"model":"auto"}}'.encode()
    p = play()
    p >> headers()
    for at in range(0, len(raw), 4000):
        p >> body(raw[at : at + 4000], end=at + 4000 >= len(raw))
        p.take()
    p.done(raw.replace(b'"auto"', b'"math-expert"'))
    assert p.most_held < 10_000


PROMPTED = CONFIG.replace(
    "lora_name: math-expert, use_reasoning: true}]",
    "lora_name: math-expert}]\n      plugins: "
    "[{type: system_prompt, configuration: {system_prompt: Count., mode: replace}}]",
)
LATE = (
    '{"messages":[{"role":"user","content":"'
    + "the derivative of x^3? " * 300
    + '"}],"model":"%s"}'
)
BUDGET, HELD = 2000, 20_000  # of the playbook's configuration


def late(name: str) -> bytes:
    """A name behind the budget, and within what may be held."""
    raw = (LATE % name).encode()
    assert BUDGET < raw.index(b'"model"') < HELD
    return raw


def configured(text: str = PLAIN, router: str = "", **early: object) -> object:
    """A policy with settings of `early_decision` and a line of `router`."""
    more = "".join(f"{name}: {str(value).lower()}, " for name, value in early.items())
    if "budget_bytes" in early:
        text = text.replace("budget_bytes: 2000, ", "")
    text = text.replace("early_decision: {", "early_decision: {" + more)
    return policy_of(text.replace("  router:\n", f"  router:\n{router}", 1))


def notes(p, kind: NoteKind) -> list[str]:
    return [note.detail for note in p.made.notes if note.kind is kind]


def deliver(p, raw: bytes, size: int = 500) -> None:
    for at in range(0, len(raw), size):
        p >> body(raw[at : at + size], end=at + size >= len(raw))
        p.take()
    p.done()


@pytest.mark.parametrize("name", ["law-expert", "gpt-unknown", "base-model"])
@pytest.mark.parametrize("size", [1, 500, 100_000])
def test_032_a_name_behind_late_model_bytes_is_rewritten_known_or_not(play, name, size):
    raw = late(name)
    p = play()
    p >> headers()
    deliver(p, raw, size)
    assert bytes(p.gateway.upstream) == raw.replace(name.encode(), b"math-expert")
    assert p.gateway.request_headers["x-selected-model"] == b"math-expert"
    decision = p.decision.decision
    assert (decision.basis, decision.requested_model) == ("early", None)
    assert notes(p, NoteKind.LATE_MODEL_NAME) == [name]


def test_032_a_late_name_that_asks_to_be_routed_is_nothing_to_note(play):
    p = play()
    p >> headers()
    deliver(p, late("auto"))
    assert bytes(p.gateway.upstream) == late("math-expert")
    assert notes(p, NoteKind.LATE_MODEL_NAME) == []


@pytest.mark.parametrize("size", [1, 700, 100_000])
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_032_the_last_byte_of_its_value_decides_whether_a_name_counts(play, over, size):
    raw = late("law-expert")
    ends = raw.index(b'"law-expert"') + len(b'"law-expert"')
    p = play(policy=configured(late_model_bytes=ends - over))
    p >> headers()
    deliver(p, raw, size)
    counts = over <= 0
    assert bytes(p.gateway.upstream) == (raw if counts else late("math-expert"))
    assert p.decision.decision.basis == ("explicit" if counts else "early")
    assert notes(p, NoteKind.LATE_MODEL_NAME) == ([] if counts else ["law-expert"])


@pytest.mark.parametrize("at", range(0, 2001, 250))
def test_032_nothing_leaves_before_a_name_may_still_count(play, at):
    """Not even where it is known early what the prompt decides."""
    raw = late("law-expert")
    announced = {"content-length": str(len(raw))}
    p = play(policy=configured(PLAIN.replace(KEYWORDS, "")))
    p >> headers(extra=announced) >> body(raw[: min(at, BUDGET)]) << nothing
    p >> body(raw[min(at, BUDGET) : BUDGET + 1])
    assert p.take()[0].header("x-selected-model") == b"math-expert"
    p >> body(raw[BUDGET + 1 :], end=True)
    p.take()
    p.done(late("math-expert"))


def test_032_max_held_bytes_honours_late_names(play):
    raw = late("law-expert")
    end = raw.index(b'"law-expert"') + len(b'"law-expert"')
    p = play(policy=configured(late_model_bytes=HELD))
    p >> headers() >> body(raw[: end - 1]) << nothing
    p >> body(raw[end - 1 :], end=True) << [header_reply("law-expert"), chunks(raw, end=True)]
    p.done(raw)
    assert p.decision.decision.basis == "explicit"


def test_032_a_late_auto_within_the_bytes_gets_the_early_decision_with_its_prompt(play):
    raw = late("auto")
    end = raw.index(b'"auto"') + len(b'"auto"')
    p = play(policy=configured(PROMPTED, late_model_bytes=HELD))
    p >> headers() >> body(raw[: end - 1]) << nothing
    p >> body(raw[end - 1 :], end=True)
    assert p.take()[0].header("x-selected-model") == b"math-expert"
    p.done()
    assert p.decision.decision.basis == "early"
    assert json.loads(bytes(p.gateway.upstream))["messages"][0]["role"] == "system"


def test_032_more_than_may_be_held_is_not_waited_for(play):
    raw = (LATE % "law-expert").replace("?", "??" * 40).encode()
    assert raw.index(b'"model"') > HELD
    p = play(policy=configured(late_model_bytes=1 << 20))
    p >> headers() >> body(raw[: HELD - 1]) << nothing
    p >> body(raw[HELD - 1 : HELD])
    assert p.take()[0].header("x-selected-model") == b"math-expert"
    assert p.most_held <= HELD
    p >> body(raw[HELD:], end=True)
    p.take()
    p.done(raw.replace(b"law-expert", b"math-expert"))


def test_032_assume_auto_is_the_older_way_to_write_no_bytes_at_all(play):
    raw = late("law-expert")
    announced = {"content-length": str(len(raw))}
    for early in ({"assume_auto": True}, {"late_model_bytes": 0}):
        p = play(policy=configured(PLAIN.replace(KEYWORDS, ""), **early))
        p >> headers(extra=announced) >> body(raw[: BUDGET + 1])
        assert p.take()[0].header("x-selected-model") == b"math-expert"
        p >> body(raw[BUDGET + 1 :], end=True)
        p.take()
        p.done(late("math-expert"))
        assert notes(p, NoteKind.LATE_MODEL_NAME) == ["law-expert"]
    p = play(policy=configured(assume_auto=True, late_model_bytes=HELD))
    p >> headers()
    deliver(p, raw)
    assert bytes(p.gateway.upstream) == raw  # what is written wins


@pytest.mark.parametrize("early", [{"assume_auto": True}, {"late_model_bytes": 0}])
def test_032_with_no_bytes_no_name_counts_wherever_it_stands(play, early):
    raw = MATH.replace(b"auto", b"law-expert")
    out = routed(play, raw, model="math-expert", policy=configured(**early))
    assert out == raw.replace(b"law-expert", b"math-expert")


def test_032_an_unknown_name_in_front_is_refused_with_the_nearest_ones(play):
    raw = MATH.replace(b"auto", b"math-exprt")
    for cut in (1, 500):
        p = play()
        p >> headers()
        for at in range(0, len(raw), cut):
            p >> body(raw[at : at + cut], end=at + cut >= len(raw))
            if replies := p.take():
                (reply,) = replies
        assert reply.status == 400
        said = json.loads(reply.body)["error"]["message"]
        assert "math-exprt" in said
        assert "'math-expert'" in said
        p.done(b"")


@pytest.mark.parametrize("raw", [MATH.replace(b"auto", b"my-adapter"), MATH])
def test_032_an_unknown_name_passes_where_adapters_come_at_run_time(play, raw):
    policy = configured(router="    unknown_models: pass\n")
    name = json.loads(raw)["model"]
    wanted = "math-expert" if name == "auto" else name
    assert routed(play, raw, model=wanted, policy=policy) == (
        raw.replace(name.encode(), wanted.encode())
    )


@pytest.mark.parametrize("unknown", ["refuse", "pass"])
def test_032_behind_the_bytes_an_unknown_name_is_rewritten_all_the_same(play, unknown):
    p = play(policy=configured(router=f"    unknown_models: {unknown}\n"))
    p >> headers()
    deliver(p, late("gpt-unknown"))
    assert bytes(p.gateway.upstream) == late("math-expert")


@pytest.mark.parametrize(("which", "basis"), [(Timer.BUDGET, "budget"), (Timer.IDLE, "timeout")])
def test_032_timers_alone_shorten_it_and_say_so(play, which, basis):
    raw = late("law-expert")
    announced = {"content-length": str(len(raw))}
    p = play(policy=configured(late_model_bytes=HELD))
    p >> headers(extra=announced) >> body(raw[:4000]) << nothing
    p >> timer(which)
    assert p.take()[0].header("x-selected-model") == b"math-expert"
    assert p.decision.decision.basis == basis
    p >> body(raw[4000:], end=True)
    p.take()
    p.done(late("math-expert"))
    assert notes(p, NoteKind.LATE_MODEL_NAME) == ["law-expert"]


def test_032_a_warm_memory_waits_as_long_as_a_cold_one(play):
    policy = configured(PLAIN.replace(KEYWORDS, ""))
    for raw, warm in ((late("auto"), False), (late("law-expert"), True)):
        p = play(policy=policy)
        p >> headers(extra={"content-length": str(len(raw))})
        p >> body(raw[:BUDGET]) << nothing
        p >> body(raw[BUDGET : BUDGET + 1])
        assert p.take()[0].header("x-selected-model") == b"math-expert"
        assert p.decision.decision.basis == ("memo" if warm else "early")
        p >> body(raw[BUDGET + 1 :], end=True)
        p.take()
        p.done(late("math-expert"))


@pytest.mark.parametrize("raw", [f'{{"messages":[{USER}]}}', f'{{"messages":[{USER}],"n":1}}'])
def test_033_a_missing_model_is_inserted(play, raw):
    out = json.loads(routed(play, raw.encode()))
    assert out == json.loads(raw) | {"model": "math-expert"}


@pytest.mark.parametrize("value", ["1", "{}", "[]", "true", "false", "0.5"])
def test_034_a_model_that_is_no_string_is_refused(play, value):
    p = play()
    raw = f'{{"model":{value},"messages":[{USER}]}}'.encode()
    p >> headers() >> body(raw, end=True) << refused(400)
    p.done()


@pytest.mark.parametrize(
    "value", ["null", '""', '"  "', '"\\t\\n"', '" auto "', '"\\u0020auto"', '"auto\\n"']
)
def test_034_no_name_and_blanks_around_one_are_no_reason_to_refuse(play, value):
    raw = f'{{"model":{value},"messages":[{USER}]}}'.encode()
    assert routed(play, raw) == MATH.replace(b"auto", b"math-expert")


def test_034_a_known_name_with_blanks_around_it_leaves_without_them(play):
    raw = MATH.replace(b"auto", b" law-expert ")
    assert routed(play, raw, model="law-expert") == MATH.replace(b"auto", b"law-expert")


def test_035_a_nested_model_is_never_touched(play):
    raw = (
        b'{"metadata":{"model":"auto"},"model":"auto","messages":[{"role":"user","model":"auto",'
        b'"content":"the derivative"}],"tools":[{"model":"auto"}]}'
    )
    expected = raw.replace(b'},"model":"auto"', b'},"model":"math-expert"')
    assert routed(play, raw) == expected


def test_036_an_escaped_key_is_the_model(play):
    raw = MATH.replace(b'"model"', b'"mod\\u0065l"')
    assert routed(play, raw) == raw.replace(b"auto", b"math-expert")


def test_037_an_escaped_value_is_compared_unescaped_and_replaced_whole(play):
    raw = MATH.replace(b'"auto"', b'"au\\u0074o"')
    assert routed(play, raw) == MATH.replace(b"auto", b"math-expert")


def test_038_every_top_level_model_is_rewritten(play):
    raw = f'{{"model":"auto","messages":[{USER}],"model":"auto"}}'.encode()
    assert routed(play, raw) == raw.replace(b"auto", b"math-expert")


@pytest.mark.parametrize("second", ["auto", "law-expert", "gpt-unknown", 7, None, {"a": 1}])
@pytest.mark.parametrize("first", ["auto", "law-expert"])
def test_038_the_first_model_counts_and_the_others_say_what_leaves(play, first, second):
    raw = f'{{"model":"{first}","messages":[{USER}],"model":{json.dumps(second)}}}'.encode()
    wanted = "math-expert" if first == "auto" else first
    for size in (3, 1000):
        p = play()
        p >> headers()
        deliver(p, raw, size)
        out = bytes(p.gateway.upstream)
        assert p.gateway.request_headers["x-selected-model"] == wanted.encode()
        names = [value for key, value in json.loads(out, object_pairs_hook=list) if key == "model"]
        assert names == [wanted, wanted]
        assert notes(p, NoteKind.DUPLICATE_KEY) == ["model"]


@pytest.mark.parametrize("before", [b" ", b"\n\t \r\n", b"\xef\xbb\xbf"])
def test_039_white_space_and_a_byte_order_mark_stay(play, before):
    raw = before + MATH
    assert routed(play, raw) == raw.replace(b"auto", b"math-expert")


def test_040_every_split_of_a_body_gives_the_same_bytes(play):
    expected = MATH.replace(b"auto", b"math-expert")
    for at in range(len(MATH) + 1):
        p = play()
        p >> headers() >> body(MATH[:at])
        decided = MATH.index(b"]") < at < len(MATH)  # all turns are here, whatever follows
        assert bool(p.take()) is decided
        p >> body(MATH[at:], end=True)
        p.take()
        p.done(expected)


@pytest.mark.parametrize("name", ['a"b', "modèle-数学", "back\\slash"])
def test_041_a_name_is_escaped_as_json(play, name):
    p = play(policy=policy_of(PLAIN.replace("math-expert", json.dumps(name))))
    p >> headers() >> body(MATH, end=True)
    p.take()
    p.done()
    assert json.loads(bytes(p.gateway.upstream))["model"] == name


@pytest.mark.parametrize(
    "raw",
    [
        '{"reasoning_effort":"low","model":"auto","messages":[M]}',
        '{"model":"auto","reasoning_effort":"low","messages":[M]}',
        '{"model":"auto","messages":[M],"reasoning_effort":"low"}',
        '{"model":"auto","messages":[M],"chat_template_kwargs":{"enable_thinking":false,"a":1}}',
        '{"chat_template_kwargs":{},"model":"auto","messages":[M]}',
        '{"chat_template_kwargs":null,"model":"auto","messages":[M]}',
    ],
)
def test_042_other_edits_keep_valid_json_in_every_position(play, raw):
    raw = raw.replace("M", USER)
    before = json.loads(raw)
    out = json.loads(routed(play, raw.encode(), policy=policy_of(CONFIG)))
    kwargs = (before.get("chat_template_kwargs") or {}) | {"enable_thinking": True}
    before.pop("reasoning_effort", None)
    assert out == before | {"model": "math-expert", "chat_template_kwargs": kwargs}


TAIL = CONFIG.replace("early_decision: {", "early_decision: {tail_insertion: true, ").replace(
    "{name: thinking, ", "{name: thinking, scope: full, "
)


@pytest.mark.parametrize(
    "shape",
    ['{"model":"auto","messages":[M]}', '{"messages":[M],"model":"auto"}',
     '{"n":1, "model" : "auto" ,"messages":[M]}\n '],
)  # fmt: skip
def test_043_tail_insertion_decides_on_the_whole_body_in_constant_memory(play, shape):
    text = "the derivative of x^3? " * 300 + " think"
    raw = shape.replace("M", json.dumps({"role": "user", "content": text}))
    p = play(policy=policy_of(TAIL))
    p >> headers() >> body(raw[:2500].encode())
    assert p.take()[0].kind == "request_headers"
    for at in range(2500, len(raw), 700):
        p >> body(raw[at : at + 700].encode(), end=at + 700 >= len(raw))
        p.take()
    p.done()
    out = json.loads(bytes(p.gateway.upstream))
    assert out["model"] == "general-expert"
    assert out["messages"] == json.loads(raw)["messages"]
    assert bytes(p.gateway.upstream).count(b'"model"') == 1
    assert p.most_held < 3000
