"""System prompts: in the first message, before it, and in the members of other APIs."""

from __future__ import annotations

import json

import pytest

from srd.body.body import Api, Body
from srd.body.edits import LIMIT
from srd.body.rewrite import Rewrite, SystemPrompt

TEXT = 'Say "please".'
SPELLED = b'"Say \\"please\\"."'
MESSAGE = b'{"role":"system","content":' + SPELLED + b"}"
PART = b'{"type":"text","text":' + SPELLED + b"}"
PART_BEFORE = PART.replace(b'."}', b'.\\n\\n"}')


def send(data, mode, *, api=Api.CHAT, chunk=None):
    body = Body(api)
    out = body.commit(Rewrite(system_prompt=SystemPrompt(TEXT, mode)))
    size = chunk or len(data)
    for at in range(0, len(data), size):
        out += body.feed(data[at : at + size], end=at + size >= len(data))
    assert (body.broken, body.held) == ("", 0)
    return out, body.system_prompt_missed


SYSTEM = b'{"role":"system","content":%s}'
BEFORE = b'{"content":%s,"role":"system"}'


@pytest.mark.parametrize("spelling", [SYSTEM, BEFORE])
@pytest.mark.parametrize(
    ("old", "replaced", "inserted"),
    [
        (b'"old"', SPELLED, SPELLED[:-1] + b'\\n\\nold"'),
        (b'""', SPELLED, SPELLED[:-1] + b'\\n\\n"'),
        (rb'"\"o\u00e9\""', SPELLED, SPELLED[:-1] + b'\\n\\n\\"o\\u00e9\\""'),
        (b"null", SPELLED, SPELLED),
        (b"5", SPELLED, SPELLED),
        (b'{"a":[1]}', SPELLED, SPELLED),
        (b"[]", SPELLED, b"[" + PART + b"]"),
        (b"[ ]", SPELLED, b"[ " + PART + b"]"),
        (b'[{"type":"text"}]', SPELLED, b"[" + PART_BEFORE + b',{"type":"text"}]'),
        (b'[ "old" ]', SPELLED, b"[ " + PART_BEFORE + b',"old" ]'),
    ],
)  # fmt: skip
def test_the_text_of_a_system_message_is_edited(spelling, old, replaced, inserted):
    data = b'{"messages":[' + spelling % old + b',{"role":"user","content":"q"}]}'
    for mode, new in (("replace", replaced), ("insert", inserted)):
        for chunk in (1, 5, 1000):
            out, missed = send(data, mode, chunk=chunk)
            assert out == data.replace(spelling % old, spelling % new)
            assert not missed
            json.loads(out)


@pytest.mark.parametrize("mode", ["insert", "replace"])
@pytest.mark.parametrize(
    "first",
    [
        b'{"role":"user","content":"q"}',
        b'{"role":"developer","content":"q"}',
        b'{"content":["q"],"role":"user"}',
        b'{"content":"q"}',
        b'{"role":5,"content":"q"}',
        b'{"role":["system"],"content":"q"}',
        b'{"role":"System"}',
        b'{"role":"' + b"system" * 2000 + b'"}',
        b"{}",
        b'"system"',
        b"[]",
        b"null",
        b"1",
    ],
)
def test_before_any_other_first_message_a_system_message_is_put(mode, first):
    data = b'{"messages":[ ' + first + b' ,{"role":"system","content":"late"}]}'
    for chunk in (1, 7, 100_000):
        out, missed = send(data, mode, chunk=chunk)
        assert out == data.replace(first, MESSAGE + b"," + first, 1)
        assert not missed


@pytest.mark.parametrize("mode", ["insert", "replace"])
def test_an_empty_conversation_gets_a_system_message(mode):
    assert send(b'{"messages":[]}', mode) == (b'{"messages":[' + MESSAGE + b"]}", False)
    assert send(b'{"messages":[\n]}', mode) == (b'{"messages":[\n' + MESSAGE + b"]}", False)


def test_a_system_message_without_content_gets_one():
    out, _ = send(b'{"messages":[{"role":"system"}]}', "insert")
    assert out == b'{"messages":[' + MESSAGE + b"]}"


def test_escapes_do_not_hide_a_system_message():
    data = rb'{"messages":[{"r\u006fle":"s\u0079stem","\u0063ontent":"x"}]}'
    out, _ = send(data, "replace")
    assert out == data.replace(b'"x"', SPELLED)


def test_every_content_and_every_conversation_is_edited():
    data = b'{"messages":[{"content":"a","role":"system","content":"b"}],"messages":[]}'
    out, _ = send(data, "replace", chunk=1)
    assert out == data.replace(b'"a"', SPELLED).replace(b'"b"', SPELLED).replace(
        b"[]", b"[" + MESSAGE + b"]"
    )


def test_of_two_roles_the_first_one_is_taken():
    data = b'{"messages":[{"role":"user","role":"system","content":"q"}]}'
    out, _ = send(data, "replace")
    assert out == data.replace(b'[{"role":"user"', b"[" + MESSAGE + b',{"role":"user"')


@pytest.mark.parametrize("data", [b"{}", b'{"messages":null}', b'{"messages":{"role":"system"}}'])
def test_where_there_is_no_conversation_nothing_is_written(data):
    assert send(data, "replace") == (data, True)


@pytest.mark.parametrize("mode", ["insert", "replace"])
@pytest.mark.parametrize("content", [b'"%s"', b'[{"type":"text","text":"%s"}]', b'{"a":"%s"}'])
@pytest.mark.parametrize("distance", [-200, 0, 200, 3 * LIMIT])
def test_a_role_too_far_behind_its_content_is_not_waited_for(mode, content, distance):
    content %= b"x" * (LIMIT + distance - 60)
    data = b'{"messages":[' + BEFORE % content + b',{"role":"user"}]}'
    out, missed = send(data, mode)
    assert missed == (out == data)
    assert missed == (distance > 0)
    for chunk in (1009, 66_000):
        assert send(data, mode, chunk=chunk) == (out, missed)


def test_a_message_without_a_role_is_not_waited_for_either():
    data = b'{"messages":[{"content":"' + b"x" * 3 * LIMIT + b'"}]}'
    for chunk in (1000, len(data)):
        assert send(data, "insert", chunk=chunk) == (data, True)


def test_what_waits_for_a_role_is_bounded():
    body = Body(Api.CHAT)
    body.commit(Rewrite(system_prompt=SystemPrompt(TEXT, "insert")))
    body.feed(b'{"messages":[{"content":"')
    most = 0
    for _ in range(100):
        body.feed(b"x" * 4000)
        most = max(most, body.held)
    assert LIMIT - 4000 < most <= LIMIT
    assert body.held == 0


# -- other APIs


@pytest.mark.parametrize(
    ("api", "name"), [(Api.RESPONSES, b"instructions"), (Api.ANTHROPIC, b"system")]
)
@pytest.mark.parametrize(
    ("old", "replaced", "inserted"),
    [
        (b'"old"', SPELLED, SPELLED[:-1] + b'\\n\\nold"'),
        (b"null", SPELLED, SPELLED),
        (b'[{"type":"text"}]', SPELLED, b"[" + PART_BEFORE + b',{"type":"text"}]'),
        (b"[]", SPELLED, b"[" + PART + b"]"),
    ],
)  # fmt: skip
def test_the_member_for_system_text_is_edited(api, name, old, replaced, inserted):
    data = b'{"a":1,"' + name + b'":' + old + b',"messages":[{"role":"system","content":"x"}]}'
    for mode, new in (("replace", replaced), ("insert", inserted)):
        for chunk in (1, 1000):
            assert send(data, mode, api=api, chunk=chunk) == (data.replace(old, new, 1), False)


@pytest.mark.parametrize(
    ("api", "name"), [(Api.RESPONSES, b"instructions"), (Api.ANTHROPIC, b"system")]
)
def test_the_member_for_system_text_is_inserted(api, name):
    expected = b'{"a":1,"' + name + b'":' + SPELLED + b"}"
    assert send(b'{"a":1}', "insert", api=api) == (expected, False)


def test_completions_have_no_place_for_a_system_text():
    assert send(b'{"prompt":"x"}', "insert", api=Api.COMPLETIONS) == (b'{"prompt":"x"}', True)
