"""What is read of a request, per API shape."""

from __future__ import annotations

import json

import pytest

from srd.body.body import Api, Body, ModelSeen
from srd.body.reader import PromptReader
from srd.body.scanner import Scanner
from srd.body.shapes import SHAPES
from srd.signals.base import Origin


def feed(body, data, *, end=False):
    body.receive(data, end=end)
    body.read()


def read(document, api=Api.CHAT, **options):
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    body = Body(api, **options)
    feed(body, data, end=True)
    return body


def chat(*messages, **members):
    return read({"messages": list(messages), **members})


def user(content):
    return {"role": "user", "content": content}


# -- texts


def test_a_conversation_is_told_apart_by_role():
    body = chat(
        {"role": "system", "content": "s"},
        user("u1"),
        {"role": "assistant", "content": "a1"},
        user("u2"),
        {"role": "tool", "content": "t"},
        {"role": "developer", "content": "d"},
        user("u3"),
    )
    prompt = body.prompt
    assert (prompt.first_user, prompt.first_user_done) == ("u1", True)
    assert (prompt.prior_user, prompt.last_user) == (("u1", "u2"), "u3")
    assert prompt.non_user == ("s", "a1", "d")
    assert body.facts.by_role == {
        "system": 1, "user": 3, "assistant": 1, "tool": 1, "developer": 1,
    }  # fmt: skip
    assert (body.facts.messages, body.facts.last_role) == (7, "user")
    assert (body.facts.text_bytes, body.facts.result_bytes) == (10, 1)
    assert body.facts.has_assistant_text


def test_messages_without_text_are_counted_and_ignored():
    body = chat(user(""), user(None), user([]), {"role": "assistant", "content": ""}, user("u"))
    assert (body.prompt.first_user, body.prompt.prior_user, body.prompt.last_user) == ("u", (), "u")
    assert body.facts.messages == 5
    assert not body.facts.has_assistant_text


def test_text_parts_are_joined_by_one_space_and_others_are_skipped():
    body = chat(
        user(
            [
                {"type": "text", "text": "one"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "text", "text": ""},
                {"text": "two"},
                {"type": "input_audio", "input_audio": {"data": "AA"}, "text": "not this"},
                "three",
            ]
        )
    )
    assert body.prompt.last_user == "one two three"
    assert body.facts.images == 1


def test_a_part_is_text_by_its_type_wherever_the_type_stands():
    parts = [{"text": "a", "type": "text"}, {"text": "b", "type": "reasoning"}, {"text": "c"}]
    assert chat(user(parts)).prompt.last_user == "a c"


def test_a_role_counts_wherever_it_stands():
    body = read(b'{"messages":[{"content":"x","role":"user"},{"content":["y"],"role":"system"}]}')
    assert body.prompt.last_user == "x"
    assert body.prompt.non_user == ("y",)


def test_the_first_user_message_can_be_followed_while_it_arrives():
    body = Body(Api.CHAT)
    feed(body, b'{"messages":[{"role":"system","content":"s"},{"role":"user","content":"ab\\u00')
    assert (body.prompt.first_user, body.prompt.first_user_done) == ("ab", False)
    feed(body, b"e9\xc3")
    assert body.prompt.first_user == "abé"
    assert body.facts.text_bytes == 5
    feed(body, b'\xa9"')
    assert body.prompt.first_user == "abéé"
    assert not body.prompt.first_user_done
    feed(body, b"}")
    assert body.prompt.first_user_done


def test_a_text_whose_role_is_not_known_yet_is_not_shown():
    body = Body(Api.CHAT)
    feed(body, b'{"messages":[{"content":"secret"')
    assert body.prompt.first_user == ""
    feed(body, b',"role":"user"')
    assert body.prompt.first_user == "secret"
    feed(body, b"}")
    assert body.prompt.last_user == "secret"


def test_long_texts_keep_head_and_tail_and_say_so():
    text = "a" * 60 + "b" * 60
    body = read({"messages": [user(text), user("c")]}, max_text_bytes=20)
    assert body.prompt.first_user == "a" * 10 + "\n" + "b" * 10
    assert body.prompt.truncated
    assert body.facts.text_bytes == 121


def test_many_messages_are_kept_within_the_bound():
    body = read({"messages": [user(f"{n:04}") for n in range(1000)]}, max_text_bytes=100)
    assert body.prompt.prior_user[0] == "0000"
    assert body.prompt.prior_user[-1] == "0998"
    assert sum(map(len, body.prompt.prior_user)) <= 100
    assert body.prompt.truncated


def test_a_missing_conversation_is_told():
    assert not read({"model": "auto"}).prompt.has_messages
    assert not read({"messages": "hello"}).prompt.has_messages
    assert read({"messages": []}).prompt.has_messages


# -- other shapes


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("one", ["one"]),
        (["one", "two"], ["one", "two"]),
        ([[1, 2], [3]], []),
        ([1, 2], []),
        ("", []),
    ],
)
def test_completions_prompts_are_user_messages(prompt, texts):
    body = read({"prompt": prompt}, Api.COMPLETIONS)
    seen = [*body.prompt.prior_user, body.prompt.last_user]
    assert [text for text in seen if text] == texts
    assert body.prompt.has_messages


def test_responses_have_instructions_and_input():
    body = read({"instructions": "s", "input": "q"}, Api.RESPONSES)
    assert (body.prompt.non_user, body.prompt.last_user) == (("s",), "q")
    assert (body.facts.messages, body.facts.text_bytes) == (1, 2)


def test_responses_items_are_messages_calls_and_results():
    body = read(
        {
            "input": [
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "q"}],
                },
                {"role": "user", "content": [{"type": "input_image", "image_url": "u"}]},
                {"type": "function_call", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "output": "42"},
                {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
            ]
        },
        Api.RESPONSES,
    )
    facts = body.facts
    assert (body.prompt.last_user, body.prompt.non_user) == ("q", ("a",))
    assert (facts.images, facts.assistant_tool_calls, facts.tool_results) == (1, 1, 1)
    assert facts.structured_bytes == len('"{}"')


def test_anthropic_has_a_system_member_and_blocks():
    body = read(
        {
            "system": [{"type": "text", "text": "s1"}, {"type": "text", "text": "s2"}],
            "messages": [
                user([{"type": "text", "text": "q"}, {"type": "image", "source": {"data": "A"}}]),
                {"role": "assistant", "content": [{"type": "tool_use", "input": {"text": "no"}}]},
                user([{"type": "tool_result", "content": [{"type": "text", "text": "no"}]}]),
            ],
        },
        Api.ANTHROPIC,
    )
    facts = body.facts
    assert (body.prompt.non_user, body.prompt.last_user) == (("s1 s2",), "q")
    assert (facts.images, facts.assistant_tool_calls, facts.tool_results) == (1, 1, 1)
    assert facts.messages == 3


@pytest.mark.parametrize(
    ("parts", "role", "images", "size"),
    [
        ([{"type": "tool_result", "content": "42"}], "tool", 0, 4),
        ([{"content": "42", "type": "tool_result"}], "tool", 0, 4),
        ([{"type": "tool_result", "content": {"rows": 3}}], "tool", 0, 11),
        ([{"type": "tool_result"}], "tool", 0, 0),
        ([{"type": "tool_result", "content": [{"type": "text", "text": "n"}, "x"]}], "tool", 0, 29),
        (  # a screenshot is a picture, not a text of its size
            [{"type": "tool_result", "content": [{"type": "image", "source": {"data": "A" * 99}}]}],
            "tool", 1, 0,
        ),
        ([{"type": "tool_result", "content": "4"}, {"type": "text", "text": "so"}], "user", 0, 3),
        ([{"type": "document", "content": "42"}], "user", 0, 0),
    ],
)  # fmt: skip
def test_results_of_tools_are_counted_by_themselves(parts, role, images, size):
    facts = read({"messages": [user("q"), user(parts)]}, Api.ANTHROPIC).facts
    assert (facts.last_role, facts.images, facts.result_bytes) == (role, images, size)


def test_an_item_of_responses_counts_its_output():
    items = [
        {"type": "function_call_output", "output": "done"},
        {
            "output": [{"type": "input_image", "image_url": "data:A"}],
            "type": "function_call_output",
        },
    ]
    facts = read({"input": items}, Api.RESPONSES).facts
    assert (facts.tool_results, facts.images, facts.result_bytes) == (2, 1, len('"done"'))


CALL = {"role": "assistant", "tool_calls": [{"id": "1"}]}
RESULT = {"role": "tool", "content": "42"}
ANSWER = {"role": "assistant", "content": "It is 42."}


@pytest.mark.parametrize(
    ("messages", "api", "active"),
    [
        ([user("q")], Api.CHAT, False),
        ([user("q"), CALL], Api.CHAT, True),
        ([user("q"), CALL, RESULT], Api.CHAT, True),
        ([user("q"), CALL, RESULT, user("go on")], Api.CHAT, True),
        ([user("q"), CALL, RESULT, user("go on"), user("now")], Api.CHAT, False),
        ([user("q"), CALL, RESULT, ANSWER, user("thanks")], Api.CHAT, False),
        ([user("q"), {"role": "function", "content": "42"}], Api.CHAT, True),
        ([user([{"type": "tool_result", "content": "42"}])], Api.ANTHROPIC, True),
        ([user([{"type": "tool_result", "content": "42"}]), user("go on")], Api.ANTHROPIC, True),
        ([{"type": "function_call", "arguments": "{}"}], Api.RESPONSES, True),
        ([{"type": "function_call_output", "output": ""}], Api.RESPONSES, True),
        ([{"type": "function_call_output", "output": ""}, user("so?")], Api.RESPONSES, True),
    ],
)
def test_a_tool_loop_goes_on_until_the_model_has_answered(messages, api, active):
    member = "input" if api is Api.RESPONSES else "messages"
    assert read({member: messages}, api).facts.tool_loop is active


def test_a_second_conversation_does_not_count():
    data = b'{"system":"s","messages":[],"messages":[{"role":"user","content":"q"}]}'
    body = read(data, Api.ANTHROPIC)
    assert (body.prompt.non_user, body.facts.text_bytes) == (("s",), 1)


# -- counts


def test_tools_and_calls_are_counted_with_their_bytes():
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "function"}]
    calls = [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]
    body = chat(
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "assistant", "content": None, "function_call": {"name": "f"}},
        {"role": "tool", "content": "42"},
        {"role": "function", "content": "43"},
        tools=tools,
    )
    facts = body.facts
    assert (facts.tool_definitions, facts.assistant_tool_calls, facts.tool_results) == (2, 2, 2)
    spelled = [json.dumps(each) for each in (tools, calls, {"name": "f"})]
    assert facts.structured_bytes == sum(map(len, spelled))


def test_roles_that_clients_invent_are_counted_up_to_a_bound():
    body = chat(*({"role": f"role{number}"} for number in range(100)), {"role": "x" * 100})
    assert len(body.facts.by_role) == 17
    assert sum(body.facts.by_role.values()) == body.facts.messages == 101


# -- parameters, metadata, model


def test_small_scalars_are_parameters():
    body = read(
        b'{"stream":true,"max_tokens":7,"temperature":0.25,"user":"\\u0041","seed":null,'
        b'"stop":["x"],"unknown":-1,"long":"' + b"x" * 300 + b'"}'
    )
    assert body.params == {
        "stream": True, "max_tokens": 7, "temperature": 0.25, "user": "A", "seed": None,
        "unknown": -1,
    }  # fmt: skip


def test_of_a_repeated_parameter_the_last_one_counts():
    assert read(b'{"n":1,"n":2}').params == {"n": 2}
    assert read(b'{"n":1,"n":[2]}').params == {}


def test_known_parameters_are_kept_among_many_unknown_ones():
    body = read({**{f"junk{number}": number for number in range(1000)}, "stream": True})
    assert body.params["stream"] is True
    assert len(body.params) < 100


def test_metadata_is_read_within_upstreams_bounds():
    many = {f"key{number}": "v" for number in range(50)}
    assert len(read({"metadata": many}).metadata) == 32
    odd = {"": "x", "k" * 129: "x", "long": "x" * 1025, "n": 1, "ok": "é", "k" * 128: "x" * 1024}
    assert read({"metadata": odd}).metadata == {"ok": "é", "k" * 128: "x" * 1024}
    assert read(b'{"metadata":{"a":"1"},"metadata":{"b":"2"}}').metadata == {"b": "2"}
    assert read({"metadata": "x"}).metadata == {}


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (b'{"model":"a\\u0062"}', ModelSeen("ab", 9, 18, True)),
        (b'{"model":" a b\\n"}', ModelSeen("a b", 9, 17, False)),
        (b'{"model":"\\u00a0"}', ModelSeen("\u00a0", 9, 17, True)),
        (b'{"model":" \\t"}', ModelSeen("", 9, 14, False)),
        (b'{"model":""}', ModelSeen("", 9, 11, True)),
        (b'{"model":null}', ModelSeen("", 9, 13, False)),
        (b'{"model":["auto"]}', ModelSeen(None, 9, 10, False)),
        (b'{"model":{}}', ModelSeen(None, 9, 10, False)),
        (b'{"model":12}', ModelSeen(None, 9, 10, False)),
        (b'{"model":true}', ModelSeen(None, 9, 10, False)),
        (b'{"model":"a","model":"b"}', ModelSeen("a", 9, 12, True)),
        (b'{"model":7,"model":"b"}', ModelSeen(None, 9, 10, False)),
        (b'{"messages":[],"model":"a"}', ModelSeen("a", 23, 26, True)),
        (b'{"x":{"model":"a"}}', None),
        (b'{"model":"' + b"x" * 9000 + b'"}', ModelSeen(None, 9, 9 + 8193, False)),
    ],
)
def test_the_first_model_is_seen_in_every_cut(data, seen):
    assert read(data).model == seen
    body = Body(Api.CHAT)
    for at in range(len(data)):
        before = body.model
        feed(body, data[at : at + 1])
        if body.model != before:
            assert seen is not None
            assert body.bytes_read == seen.end
    assert body.model == seen


# -- repeated members


def test_of_repeated_members_the_first_one_is_evidence():
    body = read(
        b'{"messages":[{"role":"user","content":"a","content":["b",{"text":"c","url":"no"}],'
        b'"role":"system"},{"role":"user","content":null,"content":"d"}],'
        b'"messages":[{"role":"user","content":"e"}],"messages":"f","model":"m","model":"n"}'
    )
    assert (body.prompt.last_user, body.prompt.prior_user) == ("a", ())
    assert body.prompt.duplicates == ("b", "c", "d", "e", "f")
    assert body.facts.by_role == {"user": 2}
    assert body.notes.duplicates == ("content", "role", "messages", "model")


@pytest.mark.parametrize("api", Api)
def test_the_names_that_count_once_are_the_same_in_every_api(api):
    names = ("messages", "input", "prompt", "system", "instructions")
    for name in names:
        body = read(f'{{"{name}":"first","x":1,"{name}":["second"]}}'.encode(), api)
        assert body.notes.duplicates == (name,)
        assert body.prompt.duplicates == ("second",)


def test_a_first_conversation_that_is_none_hides_the_second():
    body = read(b'{"messages":null,"messages":[{"role":"user","content":"x"}]}')
    assert not body.prompt.has_messages
    assert body.prompt.duplicates == ("x",)


def test_what_is_kept_of_repeated_members_is_bounded():
    deep = b"[" * 2000 + b'"deep"' + b"]" * 2000
    many = b",".join(b'{"content":"x","content":"%05d"}' % number for number in range(9000))
    body = read(
        b'{"input":1,"input":' + deep + b',"messages":[' + many + b"]}", max_text_bytes=1000
    )
    assert sum(map(len, body.prompt.duplicates)) <= 1000
    assert "deep" not in body.prompt.duplicates


# -- hostile bodies


@pytest.mark.parametrize(
    ("part", "text", "duplicates"),
    [
        (b'{"type":"text","text":"a","text":"b"}', "a", ("b",)),
        (b'{"text":"a","text":"b","type":"text"}', "a", ("b",)),
        (b'{"type":"text","te\\u0078t":"a","\\u0074ext":"b"}', "a", ("b",)),
        (b'{"type":"text","text":"a","text":{"text":"b"},"text":["c"]}', "a", ("b", "c")),
        (b'{"type":"text","text":"a","type":"image_url"}', "a", ()),
        (b'{"type":"image_url","text":"a","type":"text"}', "", ()),
        (b'{"type":"tool_result","content":"x","content":[{"text":"b"}]}', "", ("b",)),
        (b'{"type":"tool_result","content":[{"text":"a","text":"b"}]}', "", ("b",)),
    ],
)
def test_of_what_a_part_repeats_the_first_counts_and_later_texts_are_kept_apart(
    part, text, duplicates
):
    body = read(b'{"messages":[{"role":"user","content":[' + part + b"]}]}")
    assert body.prompt.last_user == text
    assert body.prompt.duplicates == duplicates
    assert body.notes.duplicates


def test_a_picture_of_any_size_is_not_held():
    reader = PromptReader(SHAPES[Api.CHAT], 1000)
    scanner = Scanner(reader, strict=True)
    scanner.feed(b'{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"')
    import tracemalloc

    piece = b"A" * 65536
    tracemalloc.start()
    try:
        for _ in range(40):
            scanner.feed(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(piece)  # one piece and what is left of it without control characters
    scanner.feed(b'"}},{"type":"text","text":"what is it?"}]}]}')
    scanner.finish()
    assert reader.prompt.last_user == "what is it?"


def test_evidence_of_a_hostile_body_is_bounded():
    members = b",".join(b'"k%d":%d' % (n, n) for n in range(5000))
    messages = b",".join(b'{"role":"r%d","content":"t"}' % n for n in range(5000))
    body = read(b"{" + members + b',"messages":[' + messages + b"]}")
    assert len(body.params) < 100
    assert len(body.facts.by_role) <= 17
    assert body.facts.messages == 5000


def test_a_reader_says_what_it_has_seen():
    body = chat(user("hi"))
    assert repr(body.prompt) == "<Prompt 1 user messages, turns closed>"


# -- what is counted, and what binds


PICTURE = "data:image/png;base64," + "iVBO" * 1000


def attached(part, api=Api.CHAT, name="messages"):
    return read({name: [user([part, {"type": "text", "text": "what is it?"}])]}, api)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
        {"image_url": {"url": PICTURE}, "type": "image_url"},
        {"type": "input_image", "image_url": PICTURE},
        {"type": "image", "source": {"type": "base64", "media_type": "m", "data": PICTURE}},
        {"type": "input_audio", "input_audio": {"format": "wav", "data": PICTURE}},
        {"type": "file", "file": {"filename": "f", "file_data": PICTURE}},
        {"type": "document", "source": {"type": "base64", "data": PICTURE}},
    ],
    ids=lambda part: next(iter(part)) + "-" + part["type"],
)
@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_bytes_of_attachments_are_not_counted_however_they_come(part, size):
    whole = attached(part)
    assert whole.counted == whole.bytes_read - len(PICTURE)
    data = json.dumps({"messages": [user([part, {"type": "text", "text": "what is it?"}])]})
    body = Body(Api.CHAT)
    for start in range(0, len(data), size):
        feed(body, data[start : start + size].encode())
        assert body.counted >= body.bytes_read - len(PICTURE)
    assert body.counted == whole.counted
    assert body.prompt.last_user == "what is it?"
    assert body.prompt.turns_end == whole.counted - 1


def test_reading_stops_at_a_counted_offset_behind_an_attachment():
    part = {"type": "image_url", "image_url": {"url": PICTURE}}
    data = json.dumps({"messages": [user([part, {"type": "text", "text": "q" * 500}])]}).encode()
    body = Body(Api.CHAT)
    body.receive(data)
    for mark in (50, 90, 200, 400):
        body.read(mark)
        assert body.counted == mark
    body.read(500, most=body.bytes_read + 10)
    assert body.counted == 410


def test_a_name_behind_an_attachment_counts_as_if_it_were_not_there():
    part = {"type": "image_url", "image_url": {"url": PICTURE}}
    seen = read({"messages": [user([part])], "model": "auto"}).model
    assert seen is not None
    assert seen.end - seen.counted == len(PICTURE)


def test_texts_know_their_bytes():
    data = b'{"messages":[{"role":"user","content":"ab"},{"role":"user","content":[{"text":"c"}]}]}'
    first, second = read(data).prompt.spoken()
    assert (first.place, second.place) == (0, 1)
    for spoken, value in ((first, b"ab"), (second, b"c")):
        (text,) = spoken.texts
        assert data[text.start : text.end] == value == text.value.encode()


def test_an_item_of_responses_needs_no_role():
    items = [
        {"type": "message", "content": "one"},
        {"content": [{"type": "input_text", "text": "two"}]},
        {"type": "input_text", "text": "three"},
        {"type": "reasoning", "summary": [], "content": "mine"},
    ]
    prompt = read({"input": items}, Api.RESPONSES).prompt
    assert [m.text for m in prompt.users] == ["one", "two", "three"]
    assert [m.text for m in chat({"content": "x"}).prompt.users] == []


@pytest.mark.parametrize(
    ("prompt", "hidden"),
    [
        ("text", False),
        (["a", "b"], False),
        ([1, 2, 3], True),
        ([[1, 2], [3]], True),
        (["a", [1]], True),
        ([], False),
    ],
)
def test_token_ids_are_a_prompt_that_nobody_here_reads(prompt, hidden):
    assert read({"prompt": prompt}, Api.COMPLETIONS).prompt.hidden is hidden
    assert read({"prompt_embeds": "AAAA"}, Api.COMPLETIONS).prompt.hidden


@pytest.mark.parametrize(
    ("api", "turn", "bound"),
    [
        (Api.ANTHROPIC, [{"type": "thinking", "thinking": "t", "signature": "s"}], "thinking"),
        (Api.ANTHROPIC, [{"type": "redacted_thinking", "data": "d"}], "redacted_thinking"),
        (Api.ANTHROPIC, [{"type": "thinking", "thinking": "t"}], ""),
        (Api.CHAT, "plain", ""),
    ],
)
def test_signed_thoughts_bind(api, turn, bound):
    body = read({"messages": [user("u"), {"role": "assistant", "content": turn}]}, api)
    found = body.prompt.bound
    assert (found.kind if found else "") == bound
    assert found is None or found.place == 1


def test_sealed_reasoning_and_thought_signatures_bind():
    items = [user("u"), {"type": "reasoning", "encrypted_content": "x"}, user("v")]
    assert read({"input": items}, Api.RESPONSES).prompt.bound.place == 1
    items[1]["encrypted_content"] = None
    assert read({"input": items}, Api.RESPONSES).prompt.bound is None
    call = {"id": "1", "extra_content": {"google": {"thought_signature": "s"}}}
    body = chat(user("u"), {"role": "assistant", "tool_calls": [call]})
    assert body.prompt.bound.kind == "thought_signature"
    assert chat({**user("u"), "signature": "s"}).prompt.bound is None
    call = {"function": {"name": "f", "arguments": {"signature": "s"}}}
    assert chat(user("u"), {"role": "assistant", "tool_calls": [call]}).prompt.bound is None


def test_what_tools_say_is_kept_where_it_is_wanted():
    document = {
        "messages": [
            user("u"),
            {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "arg"}}]},
            {"role": "tool", "name": "n", "content": "answer"},
            user([{"type": "tool_result", "content": [{"type": "text", "text": "part"}]}]),
            user([{"type": "tool_result", "content": "plain"}]),
        ],
        "tools": [{"name": "g", "description": "does", "parameters": {"x": {"enum": ["e"]}}}],
    }
    kept = read(document, tools=True).prompt.said(Origin.TOOLS)
    assert {"f", "arg", "n", "answer", "part", "plain", "g", "does", "e"} <= set(kept)
    assert read(document).prompt.said(Origin.TOOLS) == ("answer",)


def test_tool_results_are_counted_by_their_bytes():
    results = [{"type": "tool_result", "content": [{"type": "text", "text": "x" * 400}]}]
    assert chat(user(results)).facts.result_bytes in range(400, 440)
    output = {"type": "function_call_output", "output": "x" * 400}
    assert read({"input": [output]}, Api.RESPONSES).facts.result_bytes in range(400, 410)
