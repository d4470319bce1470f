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
    out = body.commit(Rewrite(system_prompt=SystemPrompt(TEXT, mode))).data
    size = chunk or len(data)
    for at in range(0, len(data), size):
        out += body.flow(data[at : at + size], end=at + size >= len(data))
    assert (body.broken, body.held) == ("", 0)
    return out, body.notes.system_prompt_missed


SYSTEM = b'{"role":"system","content":%s}'
BEFORE = b'{"content":%s,"role":"system"}'
DEVELOPER = b'{"name":"d","role":"developer","content":%s}'


@pytest.mark.parametrize("spelling", [SYSTEM, BEFORE, DEVELOPER])
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


def test_only_the_first_content_of_the_first_conversation_stays():
    data = b'{"messages":[{"content":"a","role":"system","content":"b"}],"messages":[]}'
    for chunk in (1, 6, 1000):
        out, _ = send(data, "replace", chunk=chunk)
        assert out == b'{"messages":[{"content":' + SPELLED + b',"role":"system"}]}'


def test_of_two_roles_the_first_one_is_taken():
    data = b'{"messages":[{"role":"user","role":"system","content":"q"}]}'
    for chunk in (1, 6, 1000):
        out, missed = send(data, "replace", chunk=chunk)
        assert out == b'{"messages":[' + MESSAGE + b',{"role":"user","content":"q"}]}'
        assert not missed


@pytest.mark.parametrize("data", [b"{}", b'{"messages":null}', b'{"messages":{"role":"system"}}'])
def test_where_there_is_no_conversation_nothing_is_written(data):
    assert send(data, "replace") == (data, True)


@pytest.mark.parametrize("role", [b"system", b"user"])
@pytest.mark.parametrize("mode", ["insert", "replace"])
@pytest.mark.parametrize("content", [b'"%s"', b'[{"type":"text","text":"%s"}]', b'{"a":"%s"}'])
@pytest.mark.parametrize("distance", [-200, 0, 200, 3 * LIMIT])
def test_a_prompt_goes_before_a_message_whose_role_is_too_far_behind(mode, role, content, distance):
    first = (
        b'{"content":' + content % (b"x" * (LIMIT + distance - 60)) + b',"role":"' + role + b'"}'
    )
    data = b'{"messages":[' + first + b',{"role":"user"}]}'
    out, missed = send(data, mode)
    put_before = out == data.replace(b"[", b"[" + MESSAGE + b",", 1)
    assert put_before == (distance > 0 or role == b"user")
    # Then a system text that should have been replaced is still there.
    assert missed == (distance > 0 and role == b"system" and mode == "replace")
    for chunk in (1009, 66_000):
        assert send(data, mode, chunk=chunk) == (out, missed)


def test_a_message_without_a_role_is_not_waited_for_either():
    data = b'{"messages":[{"content":"' + b"x" * 3 * LIMIT + b'"}]}'
    expected = data.replace(b"[", b"[" + MESSAGE + b",")
    for chunk in (1000, len(data)):
        assert send(data, "insert", chunk=chunk) == (expected, False)


@pytest.mark.parametrize("mode", ["insert", "replace"])
@pytest.mark.parametrize("first", [SYSTEM % b'"old"', BEFORE % b'"old"', b'{"role":"user"}'])
def test_where_nobody_can_wait_for_the_role_the_prompt_is_there_all_the_same(mode, first):
    data = b'{"messages":[' + first + b',{"role":"user"}]}'
    for at in range(len(data)):
        body = Body(Api.CHAT)
        out = body.commit(Rewrite(system_prompt=SystemPrompt(TEXT, mode))).data
        out += body.flow(data[:at]) + body.let_go()
        assert body.held == 0
        out += body.flow(data[at:], end=True)
        messages = json.loads(out)["messages"]
        texts = [message.get("content") or "" for message in messages]
        assert sum(text.count(TEXT) for text in texts) == 1
        assert texts[0].startswith(TEXT)
        stayed = any("old" in text for text in texts)
        assert body.notes.system_prompt_missed == (stayed and mode == "replace")


def test_what_waits_for_a_role_is_bounded():
    body = Body(Api.CHAT)
    body.commit(Rewrite(system_prompt=SystemPrompt(TEXT, "insert")))
    body.flow(b'{"messages":[{"content":"')
    most = 0
    for _ in range(100):
        body.flow(b"x" * 4000)
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
