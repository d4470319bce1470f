"""What only the model that made it can read goes, alone, at every cut."""

from __future__ import annotations

import gzip
import itertools
import json

import pytest

from srd.body.body import Api, Body
from srd.body.bound import looks_bound
from srd.body.edits import LIMIT
from srd.body.rewrite import Rewrite, SystemPrompt

ALL = 1 << 40
THOUGHT = b'{"type":"thinking","thinking":"hm \\" [{","signature":"c2ln"}'
LATE_TYPE = b'{"signature":"c2ln","thinking":"hm","type":"thinking"}'
REDACTED = b'{ "type" : "redacted_thinking" , "data":"x" }'
TEXT = b'{"type":"text","text":"said"}'
CALL = b'{"type":"tool_use","id":"t","name":"n","input":{"signature":"kept"}}'
UNSIGNED = b'{"type":"thinking","thinking":"hm"}'
FILLER = b'{"type":"text","text":"..."}'


def sent(data, chunk, api=Api.ANTHROPIC, **rewrite):
    """What leaves, and what is said to be gone."""
    body = Body(api)
    out = body.commit(Rewrite(**{"unbind": ALL, **rewrite})).data
    for at in range(0, len(data), chunk):
        out += body.flow(data[at : at + chunk], end=at + chunk >= len(data))
    assert (body.broken, body.held) == ("", 0)
    return out, body.notes.unbound


def everywhere(data, expected, notes, api=Api.ANTHROPIC, **rewrite):
    for chunk in (*range(1, 24), 61, len(data)):
        assert sent(data, chunk, api, **rewrite) == (expected, notes), chunk
    json.loads(expected)


def turn(*parts, between=b","):
    return b'{"role":"assistant","content":[' + between.join(parts) + b"]}"


def conversation(*turns, name=b"messages"):
    return b'{"max_tokens":9,"' + name + b'":[' + b",".join(turns) + b'],"stream":true}'


USER = b'{"role":"user","content":"q"}'


@pytest.mark.parametrize("sealed", [THOUGHT, LATE_TYPE, REDACTED])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_signed_thought_goes_with_one_comma_wherever_it_stands(sealed, size):
    for mask in itertools.product((False, True), repeat=size):
        parts = [sealed if gone else TEXT for gone in mask]
        left = [TEXT for gone in mask if not gone] or [FILLER]
        data = conversation(USER, turn(*parts), USER)
        for chunk in (1, 3, 7, 50, 1000):
            out, notes = sent(data, chunk)
            assert out == conversation(USER, turn(*left), USER)
            assert bool(notes) == any(mask)


def test_blanks_between_parts_do_not_matter():
    data = conversation(turn(THOUGHT, TEXT, REDACTED, CALL, b'"s"', THOUGHT, between=b" ,\n "))
    kept = turn(b" \n " + TEXT + b"  ", b"\n " + CALL + b" ", b'\n "s" ')
    everywhere(data, conversation(kept), ("thinking", "redacted_thinking"))


def test_what_is_not_sealed_stays_as_it_is():
    parts = turn(UNSIGNED, CALL, b'{"type":"text","text":"signature redacted_thinking"}', b"7")
    user = b'{"role":"user","signature":"mine","content":[' + THOUGHT + b"]}"
    data = conversation(user, parts, b"5", b'{"role":"assistant","signature":null}')
    everywhere(data, data, ())


def test_a_signature_on_what_stays_goes_alone_and_a_name_may_be_escaped():
    part = b'{"type":"text","thought_\\u0073ignature":"x","text":"said"}'
    first = b'{"signature":"x" , "type":"tool_use","id":"t"}'
    message = b'{"content":[%s,%s],"role":"assistant","encrypted_content":"y"}'
    expected = b'{"content":[%s,%s],"role":"assistant"}'
    everywhere(
        conversation(message % (part, first)),
        conversation(expected % (TEXT, b'{  "type":"tool_use","id":"t"}')),
        ("thought_signature", "signature", "encrypted_content"),
    )


def test_a_thought_signature_in_a_tool_call_goes_and_an_argument_of_that_name_does_not():
    extra = b'"extra_content":{"google":{"thought_signature":"x"%s}}'
    call = b'{"id":"c",%s,"function":{"name":"f","arguments":{"signature":"kept"}%s}}'
    turns = b'{"role":"assistant","tool_calls":[%s,%s]}'
    one = call % (extra % b"", b',"thought_signature":"y"')
    two = call % (extra % b',"z":1', b"")
    kept = b'"extra_content":{"google":{%s}}'
    everywhere(
        conversation(USER, turns % (one, two)),
        conversation(USER, turns % (call % (kept % b"", b""), call % (kept % b'"z":1', b""))),
        ("thought_signature",),
        Api.CHAT,
    )


REASONING = b'{"type":"reasoning","id":"r","summary":[],"encrypted_content":"x"}'
STORED = b'{"type":"reasoning","id":"r","encrypted_content":null,"content":[{"text":"a"}]}'
OUTPUT = b'{"type":"function_call_output","call_id":"c","output":"o"}'


def test_an_encrypted_item_goes_whole():
    late = b'{"encrypted_content":"x","content":[{"type":"t"}],"type":"compaction"}'
    turns = (REASONING, USER, REASONING, OUTPUT, late, STORED, b'"s"', REASONING)
    data = conversation(*turns, name=b"input")
    expected = conversation(USER, OUTPUT, STORED, b'"s"', name=b"input")
    everywhere(data, expected, ("reasoning", "encrypted_content", "compaction"), Api.RESPONSES)
    filler = b'{"role":"assistant","content":"..."}'
    everywhere(
        conversation(REASONING, REASONING, name=b"input"),
        conversation(filler, name=b"input"),
        ("reasoning",),
        Api.RESPONSES,
    )


@pytest.mark.parametrize(("api", "name"), [(Api.ANTHROPIC, b"messages"), (Api.RESPONSES, b"input")])
def test_turns_behind_the_offset_keep_theirs(api, name):
    sealed = turn(THOUGHT, TEXT)
    data = conversation(sealed, USER, sealed, sealed, name=name)
    before = data.index(USER)
    expected = conversation(turn(TEXT), USER, sealed, sealed, name=name)
    everywhere(data, expected, ("thinking",), api, unbind=before)
    everywhere(data, data, (), api, unbind=0)


def test_repeated_names_still_go_where_something_sealed_does():
    part = b'{"type":"text","text":"a"%s}'
    again = b',"text":"b","type":"thinking"'
    data = conversation(turn(part % again, THOUGHT, part % again))
    everywhere(data, conversation(turn(part % b"", part % b"")), ("thinking",))


def test_it_goes_from_a_first_message_that_a_system_prompt_is_put_before():
    prompt = SystemPrompt("s", "insert")
    system = b'{"role":"system","content":"s"}'
    first = b'{"role":"assistant","signature":"x","content":[%s]}'
    user = b'{"role":"user","content":[' + THOUGHT + b"]}"
    everywhere(
        conversation(first % (THOUGHT + b"," + TEXT)),
        conversation(system, b'{"role":"assistant","content":[' + TEXT + b"]}"),
        ("signature", "thinking"),
        Api.CHAT,
        system_prompt=prompt,
    )
    everywhere(conversation(user), conversation(system, user), (), Api.CHAT, system_prompt=prompt)


# -- bounds


CUTS = (1 << 30, 65536, 4096, 1000)


def large(kind, last, size=LIMIT + 5000):
    return b'{"type":"%s","thinking":"%s"%s}' % (kind, b"x" * size, last)


def test_a_thought_of_any_size_goes_and_little_of_it_is_held():
    data = conversation(USER, turn(TEXT, large(b"thinking", b',"signature":"x"', 400000), TEXT))
    body = Body(Api.ANTHROPIC)
    out, held = body.commit(Rewrite(unbind=ALL)).data, 0
    for at in range(0, len(data), 1000):
        out += body.flow(data[at : at + 1000], end=at + 1000 >= len(data))
        held = max(held, body.held)
    assert out == conversation(USER, turn(TEXT, TEXT))
    assert held <= LIMIT + 2000


@pytest.mark.parametrize("last", [b"", b',"signature":"x"', b',"signature":5'])
def test_beyond_the_limit_the_type_alone_decides(last):
    gone = conversation(turn(large(b"thinking", last), TEXT))
    blanks = b" " * (LIMIT + 500)
    stays = conversation(turn(b'{"a":"' + blanks + b'","type":"thinking"' + last + b"}", TEXT))
    for chunk in CUTS:
        assert sent(gone, chunk)[0] == conversation(turn(b"" + TEXT))
        out, _ = sent(stays, chunk)
        assert out == stays.replace(b',"signature":"x"', b"")


def test_a_comma_that_could_not_wait_keeps_its_element():
    blanks = b" " * (LIMIT + 500)
    data = conversation(turn(TEXT, blanks + THOUGHT, TEXT))
    expected = data.replace(b',"signature":"c2ln"', b"")
    for chunk in CUTS:
        assert sent(data, chunk)[0] == expected


@pytest.mark.parametrize("size", range(LIMIT - 80, LIMIT + 40, 7))
def test_around_the_limit_every_cut_gives_the_same(size):
    parts = [
        large(kind, last, size)
        for kind in (b"thinking", b"text")
        for last in (b"", b',"signature":"x"')
    ]
    data = conversation(turn(TEXT, *parts))
    whole = sent(data, len(data))
    for chunk in (65536, 65500, 997):
        assert sent(data, chunk) == whole


def test_an_object_is_suspect_by_name_escape_or_size():
    assert not looks_bound(TEXT + b"signature", 0, len(TEXT))
    assert not looks_bound(b'{"text":"\\u00e9"}', 0, 17)
    assert looks_bound(THOUGHT, 0, len(THOUGHT))
    assert looks_bound(b'{"\\u0073ignatur\\u0065":""}', 0, 26)
    assert looks_bound(b"{}", 0, LIMIT + 1)


# -- ways out


def test_whoever_cannot_wait_gets_what_is_decided_as_it_stands():
    body = Body(Api.ANTHROPIC)
    start = b'{"messages":[{"role":"assistant","content":[' + TEXT
    out = body.commit(Rewrite(unbind=ALL)).data + body.flow(start + b',{"type":"thinking"')
    assert body.held > 0
    out += body.let_go()
    assert body.held == 0
    out += (
        body.flow(b',"signature":"x"},', end=False)
        + body.let_go()
        + body.flow(TEXT + b"]}]}", end=True)
    )
    assert out == b'{"messages":[' + turn(TEXT, TEXT) + b"]}"


@pytest.mark.parametrize(
    ("start", "left"),
    [
        (TEXT + b',{"type":"thinking","signature":"x","a":', None),
        (TEXT + b',{"type":"thinking",', None),
        (THOUGHT, FILLER),
        (THOUGHT + b",", b""),
        (TEXT + b"," + THOUGHT, TEXT),
        (TEXT + b",", None),
    ],
)
def test_what_leaves_before_a_cut_fits_what_passes_by_itself(start, left):
    head = b'{"messages":[{"role":"assistant","content":['
    body = Body(Api.ANTHROPIC)
    body.receive(head + start)
    out = body.commit(Rewrite(unbind=ALL)).data + body.cut()
    assert out == head + (start if left is None else left)


def test_a_packed_body_leaves_inflated_where_something_goes_and_packed_where_nothing_does():
    for data, packed in ((conversation(turn(THOUGHT, TEXT)), False), (conversation(USER), True)):
        body = Body(Api.ANTHROPIC, coding="gzip")
        body.receive(gzip.compress(data), end=True)
        body.read()
        leaving = body.commit(Rewrite(unbind=ALL))
        assert leaving.packed is packed
        if not packed:
            assert leaving.data + body.flow(b"", end=True) == conversation(turn(TEXT))


def test_a_document_that_breaks_in_what_goes_breaks_alike_at_every_cut():
    data = conversation(turn(TEXT, THOUGHT[:-1] + b',"x"]'))[:-30] + b"!"
    outs = set()
    for chunk in range(1, len(data) + 1):
        body = Body(Api.ANTHROPIC)
        out = body.commit(Rewrite(unbind=ALL)).data
        for at in range(0, len(data), chunk):
            out += body.flow(data[at : at + chunk], end=at + chunk >= len(data))
        outs.add(out)
    assert len(outs) == 1


def test_a_call_that_breaks_does_so_at_every_cut():
    data = conversation(b'{"role":"assistant","tool_calls":[null!],"content":[]}')
    for chunk in range(1, len(data) + 1):
        body = Body(Api.CHAT)
        out = body.commit(Rewrite(model="m", unbind=ALL)).data
        for at in range(0, len(data), chunk):
            out += body.flow(data[at : at + chunk], end=at + chunk >= len(data))
        assert out == data
        assert body.broken == f"expected a comma or ] at byte {data.index(b'!')}"
