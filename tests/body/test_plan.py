"""Every kind of edit against what the json module says that it should have done."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from srd.body.body import Api, Body
from srd.body.plan import BodyEdits
from srd.body.rewrite import NO_REWRITE, Rewrite, SystemPrompt
from srd.body.shapes import SHAPES


class Members(list):
    """An object as its pairs, duplicates and order kept."""


@dataclass(frozen=True)
class Number:
    """A number as it is spelled."""

    text: str


def parse(data):
    text = data.decode("utf-8-sig", "surrogateescape")
    return json.loads(
        text, object_pairs_hook=Members, parse_float=Number, parse_int=Number, parse_constant=Number
    )


def with_text(content, prompt):
    """The content of a system message, edited."""
    if prompt.mode == "insert" and isinstance(content, str):
        return f"{prompt.text}\n\n{content}"
    if prompt.mode == "insert" and isinstance(content, list) and not isinstance(content, Members):
        text = prompt.text + ("\n\n" if content else "")
        return [Members([("type", "text"), ("text", text)]), *content]
    return prompt.text


def with_message(messages, prompt):
    """The chat's messages, edited."""
    if not isinstance(messages, list) or isinstance(messages, Members):
        return messages
    first = messages[0] if messages else None
    roles = [v for k, v in first if k == "role"] if isinstance(first, Members) else []
    if not roles or roles[0] not in ("system", "developer"):
        return [Members([("role", "system"), ("content", prompt.text)]), *messages]
    edited = Members((k, with_text(v, prompt) if k == "content" else v) for k, v in first)
    if all(k != "content" for k, _ in first):
        edited.append(("content", prompt.text))
    return [edited, *messages[1:]]


def merged(value, inner):
    new = {name: parse(raw) for name, raw in inner.items() if raw is not None}
    if not isinstance(value, Members):
        return Members(new.items()) if new else value
    kept = Members((k, new.get(k, v)) for k, v in value if not (k in inner and inner[k] is None))
    kept.extend((k, v) for k, v in new.items() if k not in {name for name, _ in value})
    return kept


def capped(value, most):
    above = isinstance(value, Number) and float(value.text) > most
    return Number(str(most)) if above else value


ONCE = ("messages", "input", "prompt", "system", "instructions")
ONCE_IN_TURN = ("role", "content", "type", "text")
ONCE_IN_PART = ("content", "type", "text")


def without_repeats(members, once):
    """The members, of the names in `once` only the first of each."""
    found = set()
    kept = Members()
    for name, value in members:
        if name not in found or name not in once:
            kept.append((name, value))
        found.add(name)
    return kept


def clean_turns(value):
    """A conversation whose elements repeat nothing."""
    if not isinstance(value, list) or isinstance(value, Members):
        return value
    return [clean_parts(v, ONCE_IN_TURN, 2) if isinstance(v, Members) else v for v in value]


def clean_parts(members, once, depth):
    """A turn or a part, and those in its `content`, which repeat nothing."""
    kept = without_repeats(members, once)
    for index, (name, value) in enumerate(kept):
        inside = isinstance(value, list) and not isinstance(value, Members)
        if name == "content" and inside and depth:
            parts = [
                clean_parts(v, ONCE_IN_PART, depth - 1) if isinstance(v, Members) else v
                for v in value
            ]
            kept[index] = (name, parts)
    return kept


def oracle(data, rewrite, shape):
    """The members that stay, in order, and those that are inserted."""
    kept = Members()
    system = shape.system.decode() if shape.system else None
    for name, value in without_repeats(parse(data), ONCE):
        if name == shape.turns.decode():
            value = clean_turns(value)
        if name == system and isinstance(value, list) and not isinstance(value, Members):
            value = clean_parts(Members([("content", value)]), ONCE_IN_TURN, 2)[0][1]
        if name == "model" and rewrite.model is not None:
            value = rewrite.model
        elif rewrite.system_prompt and name == system:
            value = with_text(value, rewrite.system_prompt)
        elif rewrite.system_prompt and name == "messages" and shape.system_message:
            value = with_message(value, rewrite.system_prompt)
        elif name in rewrite.set_members:
            value = parse(rewrite.set_members[name])
        elif name in rewrite.merge:
            value = merged(value, rewrite.merge[name])
        elif name in rewrite.drop:
            continue
        elif name in rewrite.cap:
            value = capped(value, rewrite.cap[name])
        elif rewrite.keep_only is not None and name not in rewrite.keep_only:
            continue
        kept.append((name, value))
    inserted = {name: parse(raw) for name, raw in rewrite.set_members.items()}
    for name, inner in rewrite.merge.items():
        new = merged(None, inner)
        if new is not None:
            inserted[name] = new
    if rewrite.model is not None:
        inserted["model"] = rewrite.model
    if rewrite.system_prompt and system:
        inserted[system] = rewrite.system_prompt.text
    present = {name for name, _ in parse(data)}
    return kept, {name: value for name, value in inserted.items() if name not in present}


def test_every_rewrite_does_to_every_body_what_the_json_module_would(valid_case, sender, rewrites):
    shape = SHAPES[Api(valid_case.api)]
    for name, rewrite in rewrites.items():
        kept, inserted = oracle(valid_case.data, rewrite, shape)
        for commit in (0, 1):
            out = sender.send(valid_case, [valid_case.data], rewrite, commit)
            found = parse(out)
            assert [m for m in found if m[0] not in inserted] == kept, name
            assert {m[0]: m[1] for m in found if m[0] in inserted} == inserted, name
            assert len(found) == len(kept) + len(inserted), name


@pytest.mark.parametrize("name", ["m", None])
def test_tail_mode_does_to_every_body_what_the_json_module_would(valid_case, sender, name):
    shape = SHAPES[Api(valid_case.api)]
    members, _ = oracle(valid_case.data, Rewrite(), shape)
    models = [value for key, value in members if key == "model"]
    kept = Members(member for member in members if member[0] != "model")
    if name is not None:
        kept.append(("model", name))
    elif models and not isinstance(models[0], list):
        kept.append(("model", models[0]))
    out, body = sender.tail(valid_case, [valid_case.data], Rewrite(model=name))
    assert parse(out) == kept
    assert body.held == 0


# -- precedence


@pytest.mark.parametrize(
    ("rewrite", "expected"),
    [
        (Rewrite(drop=frozenset({"a"}), set_members={"a": b"2"}), b'{"a":2,"b":{"c":9}}'),
        (Rewrite(drop=frozenset({"a"}), cap={"a": 0}), b'{"b":{"c":9}}'),
        (Rewrite(cap={"a": 0}, keep_only=frozenset({"a"})), b'{"a":0}'),
        (Rewrite(merge={"b": {"c": None}}, drop=frozenset({"b"})), b'{"a":1,"b":{}}'),
        (Rewrite(merge={"b": {"c": b"1"}}, set_members={"b": b"3"}), b'{"a":1,"b":3}'),
        (Rewrite(set_members={"d": b"1"}, keep_only=frozenset()), b'{"d":1}'),
        (Rewrite(model="m", drop=frozenset({"model"})), b'{"a":1,"b":{"c":9},"model":"m"}'),
    ],
)
def test_where_two_edits_meet_the_stronger_one_wins(rewrite, expected):
    body = Body(Api.CHAT)
    body.receive(b'{"a":1,"b":{"c":9}}', end=True)
    assert body.commit(rewrite).data == expected


# -- flags


@pytest.mark.parametrize("name", [b"messages", b"input", b"prompt", b"system", b"instructions"])
@pytest.mark.parametrize("api", Api)
def test_of_a_repeated_member_only_the_first_one_leaves_in_every_cut(api, name):
    escaped = b"\\u%04x" % name[0] + name[1:]
    for spelled in (name, escaped):
        again = b'"' + spelled + b'" : [{"content":"}"},2]'
        data = (
            b'{"' + name + b'":"a" , ' + again + b',"x":1,' + again + b' ,"y":2 , ' + again + b"}"
        )
        expected = b'{"' + name + b'":"a" ,"x":1 ,"y":2 }'
        for chunk in (*range(1, 40), 1000):
            body = Body(api)
            out = body.commit(NO_REWRITE).data
            for at in range(0, len(data), chunk):
                out += body.flow(data[at : at + chunk], end=at + chunk >= len(data))
            assert out == expected
            assert body.notes.duplicates == (name.decode(),)


@pytest.mark.parametrize("api", Api)
@pytest.mark.parametrize("name", ONCE_IN_TURN)
def test_of_a_repeated_member_of_a_message_only_the_first_one_leaves_in_every_cut(api, name):
    turns = SHAPES[api].turns
    key = name.encode()
    escaped = b"\\u%04x" % key[0] + key[1:]
    message = b'{ "%s" : "a", "%s":["b",{"%s":"kept"}] ,"z":{"%s":1,"%s":2},"%s":null}'
    clean = b'{ "%s" : "a" ,"z":{"%s":1,"%s":2}}'
    plain = b'{"role":"user","content":"\\"q\\\\"}'
    data = b'{"x":{"a":[%s]},"%s":[%s,%s , %s,[%s]]}' % (
        message % ((key,) * 6), turns, plain, message % (key, key, key, key, key, escaped),
        message % (key, escaped, key, key, key, key), message % ((key,) * 6),
    )  # fmt: skip
    expected = b'{"x":{"a":[%s]},"%s":[%s,%s , %s,[%s]]}' % (
        message % ((key,) * 6), turns, plain, clean % ((key,) * 3), clean % ((key,) * 3),
        message % ((key,) * 6),
    )  # fmt: skip
    for chunk in (*range(1, 40), 1000):
        body = Body(api)
        out = body.commit(NO_REWRITE).data
        for at in range(0, len(data), chunk):
            out += body.flow(data[at : at + chunk], end=at + chunk >= len(data))
        assert out == expected
        assert body.notes.duplicates == (name,)


@pytest.mark.parametrize(
    ("api", "data", "missed"),
    [
        (Api.CHAT, b'{"messages":[]}', False),
        (Api.CHAT, b'{"messages":[{"role":"user"}]}', False),
        (Api.CHAT, b'{"messages":"x"}', True),
        (Api.CHAT, b"{}", True),
        (Api.COMPLETIONS, b'{"prompt":"x"}', True),
        (Api.RESPONSES, b'{"input":"x"}', False),
        (Api.ANTHROPIC, b'{"system":"x"}', False),
    ],
)
def test_a_body_says_when_a_system_prompt_found_no_place(api, data, missed):
    body = Body(api)
    body.commit(Rewrite(system_prompt=SystemPrompt("s", "replace")))
    body.flow(data, end=True)
    assert body.notes.system_prompt_missed is missed


def test_a_prompt_that_comes_with_the_settling_goes_where_it_still_can():
    prompt = Rewrite(model="m", system_prompt=SystemPrompt("s", "insert"))
    responses, chat = Body(Api.RESPONSES), Body(Api.CHAT)
    for body in (responses, chat):
        body.commit_tail(NO_REWRITE)
        body.flow(b'{"input":"x"}', end=True)
    assert responses.settle_tail(prompt) == b',"model":"m","instructions":"s"}'
    assert not responses.notes.system_prompt_missed
    assert chat.settle_tail(prompt) == b',"model":"m"}'
    assert chat.notes.system_prompt_missed


def test_edits_say_what_they_are():
    edits = BodyEdits(Rewrite(model="m"), SHAPES[Api.CHAT])
    assert repr(edits) == "<BodyEdits 0 decided, hold=None>"
