"""Protocol reference 5.3: the model's name is replaced, and nothing else."""

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
)

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


def test_032_an_explicit_model_behind_an_early_release_is_left_alone(play):
    text = "the derivative of x^3? " * 300
    raw = f'{{"messages":[{{"role":"user","content":"{text}"}}],"model":"law-expert"}}'.encode()
    p = play()
    p >> headers()
    for at in range(0, len(raw), 500):
        p >> body(raw[at : at + 500], end=at + 500 >= len(raw))
        p.take()
    p.done(raw)


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


def test_032_nothing_edited_leaves_before_a_late_explicit_model_is_known(play):
    raw = (LATE % "law-expert").encode()
    p = play(policy=policy_of(PROMPTED))
    p >> headers() >> body(raw[:-5]) << nothing
    p >> body(raw[-5:], end=True) << [header_reply("law-expert"), chunks(raw, end=True)]
    p.done(raw)


def test_032_a_late_auto_gets_the_early_decision_with_its_prompt(play):
    raw = (LATE % "auto").encode()
    p = play(policy=policy_of(PROMPTED))
    p >> headers() >> body(raw[:-5]) << nothing
    p >> body(raw[-5:], end=True)
    assert p.take()[0].header("x-selected-model") == b"math-expert"
    p.done()
    assert p.decision.decision.basis == "early"
    assert json.loads(bytes(p.gateway.upstream))["messages"][0]["role"] == "system"


def test_032_assume_auto_does_not_wait(play):
    raw = (LATE % "auto").encode()
    text = PROMPTED.replace("budget_bytes", "assume_auto: true, budget_bytes")
    p = play(policy=policy_of(text))
    p >> headers() >> body(raw[:2500])
    assert p.take()[0].header("x-selected-model") == b"math-expert"
    p >> body(raw[2500:], end=True)
    p.take()
    p.done()
    assert json.loads(bytes(p.gateway.upstream))["model"] == "math-expert"


def test_032_at_the_cap_nobody_waits_for_the_model_any_longer(play):
    raw = (LATE % "auto").replace("?", "??" * 40).encode()
    p = play(policy=policy_of(PROMPTED))
    p >> headers() >> body(raw[:19_999]) << nothing
    p >> body(raw[19_999:20_000])
    assert p.take()[0].header("x-selected-model") == b"math-expert"


@pytest.mark.parametrize("raw", [f'{{"messages":[{USER}]}}', f'{{"messages":[{USER}],"n":1}}'])
def test_033_a_missing_model_is_inserted(play, raw):
    out = json.loads(routed(play, raw.encode()))
    assert out == json.loads(raw) | {"model": "math-expert"}


@pytest.mark.parametrize("value", ["null", "1", "{}", "[]", "true"])
def test_034_a_model_that_is_no_string_is_refused(play, value):
    p = play()
    raw = f'{{"model":{value},"messages":[{USER}]}}'.encode()
    p >> headers() >> body(raw, end=True) << refused(400)
    p.done()


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


@pytest.mark.parametrize("before", [b" ", b"\n\t \r\n", b"\xef\xbb\xbf"])
def test_039_white_space_and_a_byte_order_mark_stay(play, before):
    raw = before + MATH
    assert routed(play, raw) == raw.replace(b"auto", b"math-expert")


def test_040_every_split_of_a_body_gives_the_same_bytes(play):
    expected = MATH.replace(b"auto", b"math-expert")
    for at in range(len(MATH) + 1):
        p = play()
        p >> headers() >> body(MATH[:at]) << nothing
        p >> body(MATH[at:], end=True) << [header_reply("math-expert"), chunks(expected, end=True)]
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
