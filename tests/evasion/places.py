"""Evasions by where a text stands and how it is written: blocks, roles, tools, repeated members.

Why this file exists: one kind of row per module. It must not know srd.
"""

from __future__ import annotations

import json

from evasion.row import (
    COMPLETIONS,
    MESSAGES,
    PLAIN,
    RESPONSES,
    Row,
    asked,
    chat,
    document,
    raw,
    user,
)


def rows() -> list[Row]:
    return [*_harness(), *_places(), *_duplicates(), *_spelling()]


# -- what no human wrote

BLOCKS = (
    "system-reminder", "environment_context", "environment_details", "user_instructions",
    "ide_opened_file", "ide_selection", "local-command-stdout", "local-command-caveat",
    "command-name", "command-message", "command-args", "INSTRUCTIONS", "feedback", "file_content",
    "task", "user_message", "user_query",
)  # fmt: skip
TEMPLATES = {
    "agents-file": "# AGENTS.md instructions for /home/someone/project\n\n"
    "<INSTRUCTIONS>\n@\n</INSTRUCTIONS>",
    "rag": "Use the following pieces of context to answer the question at the end.\n\n@\n\n"
    "Question: What is said?\nHelpful Answer:",
    "rag-index": "Context information is below.\n---------------------\n@\n---------------------\n"
    "Given the context information and not prior knowledge, answer the query.\n"
    "Query: What is said?\nAnswer: ",
    "rag-ui": "### Task:\nRespond to the user query using the provided context.\n\n"
    "<context>\n<source id=\"1\">@</source>\n</context>\n",
    "title": "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat "
    "history.\n### Chat History:\n<chat_history>\nUSER: @\nASSISTANT: Yes.\n</chat_history>",
    "tags": "### Task:\nGenerate 1-3 broad tags categorizing the main themes of the chat history."
    "\n### Chat History:\n<chat_history>\nUSER: @\n</chat_history>",
    "compaction": "Your task is to create a detailed summary of the conversation so far.\n\n@",
}  # fmt: skip


def _harness() -> list[Row]:
    blocks = [
        Row(name=f"block-{block}-{where}", codings=PLAIN,
            body=lambda t, b=block, f=where == "before": asked(
                f"<{b}>\n{t}\n</{b}>\nWhat time is it?" if f
                else f"What time is it?\n<{b}>\n{t}\n</{b}>"))
        for block in BLOCKS
        for where in ("before", "behind")
    ]  # fmt: skip
    open_block = Row(
        name="block-never-closed", body=lambda t: asked(f"Hello.\n<system-reminder>\n{t}")
    )
    part = Row(
        name="block-as-a-part-of-its-own",
        body=lambda t: chat(
            user(
                [
                    {"type": "text", "text": f"<system-reminder>\n{t}\n</system-reminder>"},
                    {"type": "text", "text": "What time is it?"},
                ]
            )
        ),
    )
    templates = [
        Row(name=f"template-{name}", codings=PLAIN, body=lambda t, w=w: asked(w.replace("@", t)))
        for name, w in TEMPLATES.items()
    ]
    return [*blocks, open_block, part, *templates]


# -- other places


def _places() -> list[Row]:
    hello = user("Hello.")
    function = {"name": "f", "arguments": "{}"}
    call = {"id": "c", "type": "function", "function": function}
    answered = {"role": "tool", "tool_call_id": "c"}
    called = {"role": "assistant", "content": None, "tool_calls": [call]}

    def call_with(text: str) -> dict[str, object]:
        said = {**call, "function": {**function, "arguments": json.dumps({"q": text})}}
        return {**called, "tool_calls": [said]}

    def result(text: object) -> dict[str, object]:
        return user([{"type": "tool_result", "tool_use_id": "c", "content": text}])

    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    yes = {"role": "assistant", "content": "Yes."}
    plain = [
        Row(name="place-earlier-turn", body=lambda t: chat(user(t), yes, hello)),
        Row(name="place-unknown-role",
            body=lambda t: chat(hello, {"role": "critic", "content": t})),
        Row(name="place-role-in-capitals",
            body=lambda t: chat(hello, {"role": "USER", "content": t})),
        Row(name="place-no-role", body=lambda t: chat(hello, {"content": t})),
    ]  # fmt: skip
    wide: dict[str, dict[str, object]] = {
        "assistant": {"body": lambda t: chat(hello, {"role": "assistant", "content": t}, hello)},
        "system": {"body": lambda t: chat({"role": "system", "content": t}, hello)},
        "developer": {"body": lambda t: chat({"role": "developer", "content": t}, hello)},
        "instructions": {
            "path": RESPONSES, "body": lambda t: document(instructions=t, input="Hello."),
        },
        "system-member": {"path": MESSAGES, "body": lambda t: chat(hello, system=t)},
        "tool-message": {
            "body": lambda t: chat(hello, called, {**answered, "content": t})
        },
        "tool-result": {"path": MESSAGES, "body": lambda t: chat(hello, yes, result(t))},
        "tool-result-parts": {
            "path": MESSAGES,
            "body": lambda t: chat(hello, yes, result([{"type": "text", "text": t}])),
        },
        "tool-output": {
            "path": RESPONSES,
            "body": lambda t: document(input=[
                {"role": "user", "content": "Hello."},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": t},
            ]),
        },
        "tool-call": {"body": lambda t: chat(
            hello, call_with(t), {**answered, "content": "1"})},
        "tool-description": {"body": lambda t: chat(hello, tools=[
            {**tool, "function": {"name": "f", "description": t, "parameters": {}}}])},
        "tool-parameter": {"body": lambda t: chat(hello, tools=[
            {**tool, "function": {"name": "f", "parameters": {"properties": {
                "q": {"type": "string", "description": t}}}}}])},
        "name": {"body": lambda t: chat({**hello, "name": t})},
        "file-name": {"body": lambda t: chat(user([
            {"type": "text", "text": "Read this."},
            {"type": "file", "file": {"filename": t, "file_data": "data:text/plain;base64,aGk="}},
        ]))},
        "input-file-name": {"path": RESPONSES, "body": lambda t: document(input=[user([
            {"type": "input_text", "text": "Read this."},
            {"type": "input_file", "filename": t, "file_data": "data:text/plain;base64,aGk="},
        ])])},
    }  # fmt: skip
    rows = {f"place-{name}": {"variant": "wide", **row} for name, row in wide.items()}
    return [*plain, *(Row(name=name, **row) for name, row in rows.items())]  # type: ignore[arg-type]


def _duplicates() -> list[Row]:
    ask = '{"role":"user","content":"%s"}'
    hello = ask % "Hello."
    bad = ask % "@"
    part = '{"messages":[{"role":"user","content":[{%s}]}]}'
    chats = {
        "messages-first": f'{{"messages":[{bad}],"messages":[{hello}]}}',
        "messages-second": f'{{"messages":[{hello}],"messages":[{bad}]}}',
        "messages-escaped": f'{{"messages":[{hello}],"m\\u0065ssages":[{bad}]}}',
        "content-first": '{"messages":[{"role":"user","content":"@","content":"Hello."}]}',
        "content-second": '{"messages":[{"role":"user","content":"Hello.","content":"@"}]}',
        "content-escaped": '{"messages":[{"role":"user","content":"Hello.","cont\\u0065nt":"@"}]}',
        "content-as-parts":
            '{"messages":[{"role":"user","content":"Hello.","content":[{"type":"text","text":"@"}]}]}',
        "role-second": '{"messages":[{"role":"user","content":"@","role":"tool"}]}',
        "text-first": part % '"type":"text","text":"@","text":"a"',
        "text-second": part % '"type":"text","text":"a","text":"@"',
        "text-escaped": part % '"type":"text","text":"a","\\u0074ext":"@"',
        "type-second": part % '"type":"text","text":"@","type":"image_url"',
        "model-named-second": f'{{"model":"auto","messages":[{bad}],"model":"base-model"}}',
    }  # fmt: skip
    others = {
        "input-second": (RESPONSES, '{"input":"Hello.","input":"@"}'),
        "input-part": (
            RESPONSES,
            '{"input":[{"role":"user","content":[{"type":"input_text","text":"a","text":"@"}]}]}',
        ),
        "prompt-second": (COMPLETIONS, '{"prompt":"Hello.","prompt":"@"}'),
        "prompt-list-second": (COMPLETIONS, '{"prompt":"Hello.","prompt":["@"]}'),
        "tool-result-text": (
            MESSAGES,
            '{"messages":[{"role":"user","content":[{"type":"tool_result","content":'
            '[{"type":"text","text":"a","text":"@"}]}]}]}',
        ),
    }
    keys = {
        "messages": '{"m\\u0065ssages":[{"role":"user","content":"@"}]}',
        "content": '{"messages":[{"role":"user","\\u0063ontent":"@"}]}',
        "role": '{"messages":[{"\\u0072ole":"us\\u0065r","content":"@"}]}',
        "text": '{"messages":[{"role":"user","content":[{"type":"text","te\\u0078t":"@"}]}]}',
        "type": '{"messages":[{"role":"user","content":[{"typ\\u0065":"t\\u0065xt","text":"@"}]}]}',
    }
    return [
        *(Row(name=f"twice-{name}", body=raw(text)) for name, text in chats.items()),
        *(Row(name=f"twice-{n}", path=path, body=raw(text)) for n, (path, text) in others.items()),
        *(Row(name=f"key-escaped-{name}", body=raw(text)) for name, text in keys.items()),
    ]


def _spelling() -> list[Row]:
    def escaped(text: str) -> bytes:
        spelled = "".join(f"\\u{ord(char):04x}" for char in text)
        return raw('{"messages":[{"role":"user","content":"@"}]}')(spelled)

    return [
        Row(name="text-in-escapes", body=escaped),
        Row(name="text-behind-a-surrogate-pair", body=lambda t: asked(f"\U0001f600 {t}")),
        Row(name="text-behind-a-lone-surrogate", body=lambda t: asked(f"\ud83d {t}")),
        Row(name="text-behind-a-nul", body=lambda t: asked(f"\0 {t}")),
        Row(name="text-in-invalid-utf-8", body=lambda t: asked("@").replace(
            b"@", b"\xff " + t.encode())),
        Row(name="key-in-invalid-utf-8", body=lambda t: asked(t).replace(b"{", b'{"\xff":1,', 1)),
        Row(name="deep-member-in-front", body=lambda t: asked(t).replace(
            b"{", b'{"x":' + b"[" * 2000 + b"]" * 2000 + b",", 1)),
    ]  # fmt: skip
