"""Evasions by an odd part or member: text that some backend reads, where no human's text stands.

Why this file exists: one kind of row per module. It must not know srd.
"""

from __future__ import annotations

from collections.abc import Callable

from evasion.row import (
    COMPLETIONS,
    MESSAGES,
    PLAIN,
    RESPONSES,
    UNREADABLE,
    Row,
    chat,
    document,
    raw,
    user,
)

Body = Callable[[str], bytes]
_MODES = ("duplex", "buffered")


def rows() -> list[Row]:
    two_types = raw(
        '{"messages":[{"role":"user","content":[{"type":"document",'
        '"source":{"type":"base64","data":"@","type":"text"}}]}]}'
    )
    return [
        *_rows("part", "/v1/chat/completions", "plain", _parts()),
        *_rows("part", MESSAGES, "plain", _documents()),
        *_rows("member", "/v1/chat/completions", "plain", _members()),
        *_rows("item", RESPONSES, "plain", _items()),
        *_rows("member", COMPLETIONS, "plain", {
            "suffix": lambda t: document(prompt="Hello.", suffix=t),
        }),
        *_rows("said", "/v1/chat/completions", "wide", _said()),
        *_rows("said", RESPONSES, "wide", _told()),
        *_rows("result", MESSAGES, "wide", _results()),
        Row(name="part-in-many-lists", body=_beside(_buried), modes=_MODES, codings=PLAIN,
            expect=UNREADABLE),
        Row(name="part-document-of-two-types", path=MESSAGES, body=two_types, modes=_MODES,
            codings=PLAIN, expect=UNREADABLE),
    ]  # fmt: skip


def _rows(kind: str, path: str, variant: str, bodies: dict[str, Body]) -> list[Row]:
    return [
        Row(name=f"{kind}-{name}", path=path, body=body, variant=variant, modes=_MODES,
            codings=PLAIN)
        for name, body in bodies.items()
    ]  # fmt: skip


def _beside(part: Callable[[str], object]) -> Body:
    """The part behind a harmless one."""
    return lambda t: chat(user([{"type": "text", "text": "Hello."}, part(t)]), max_tokens=9)


def _buried(text: str) -> object:
    found: object = [text]
    for _ in range(20):
        found = [found]
    return found


def _parts() -> dict[str, Body]:
    spelled = "".join(f"\\u{ord(char):04x}" for char in "output_text")
    return {
        "refusal": _beside(lambda t: {"type": "refusal", "refusal": t}),
        "refusal-without-type": _beside(lambda t: {"refusal": t}),
        "thinking-of-a-user": _beside(lambda t: {"type": "thinking", "thinking": t}),
        "unknown-type": _beside(lambda t: {"type": "weird", "text": t}),
        "unknown-type-behind": _beside(lambda t: {"text": t, "type": "weird"}),
        "text-in-a-picture": _beside(lambda t: {"type": "image_url", "text": t}),
        "text-as-an-object": _beside(lambda t: {"type": "text", "text": {"value": t}}),
        "text-as-a-list": _beside(lambda t: {"type": "text", "text": [t]}),
        "content-in-a-text": _beside(lambda t: {"type": "text", "content": [{"text": t}]}),
        "content-of-no-type": _beside(lambda t: {"content": t}),
        "content-of-a-content": _beside(lambda t: {"content": [{"content": t}]}),
        "content-as-an-object": _beside(lambda t: {"content": [{"content": {"a": t}}]}),
        "content-of-lists": _beside(lambda t: {"content": [[t]]}),
        "list-in-a-list": _beside(lambda t: [[{"type": "text", "text": t}]]),
        "type-in-escapes": raw(
            '{"messages":[{"role":"user","content":[{"type":"' + spelled + '","text":"@"}]}]}'
        ),
    }  # fmt: skip


def _documents() -> dict[str, Body]:
    def source(make: Callable[[str], object]) -> Body:
        return _beside(lambda t: {"type": "document", "source": make(t)})

    text = {"type": "text", "media_type": "text/plain", "data": "A river."}
    return {
        "document": source(lambda t: {**text, "data": t}),
        "document-data-first": source(lambda t: {"data": t, "type": "text"}),
        "document-without-type": source(lambda t: {"data": t}),
        "document-two-data": raw(
            '{"messages":[{"role":"user","content":[{"type":"document",'
            '"source":{"type":"text","data":"@","data":"A river."}}]}]}'
        ),
        "document-content": source(lambda t: {"type": "content", "content": t}),
        "document-content-parts": source(
            lambda t: {"type": "content", "content": [{"type": "text", "text": t}]}
        ),
        "document-title": _beside(lambda t: {"type": "document", "title": t, "source": text}),
        "document-context": _beside(lambda t: {"type": "document", "context": t, "source": text}),
        "search-result": _beside(
            lambda t: {"type": "search_result", "content": [{"type": "text", "text": t}]}
        ),
        "search-result-type-last": _beside(
            lambda t: {"content": [{"type": "text", "text": t}], "type": "search_result"}
        ),
        "search-result-title": _beside(lambda t: {"type": "search_result", "title": t}),
    }


def _members() -> dict[str, Body]:
    hello = user("Hello.")
    return {
        "content-as-an-object": lambda t: chat(hello, user({"type": "text", "text": t})),
        "text-of-a-message": lambda t: chat(hello, {"role": "user", "text": t}),
        "parts-of-a-message": lambda t: chat(hello, {"role": "user", "parts": [{"text": t}]}),
        "message-as-a-string": lambda t: chat(hello, t),
        "message-in-a-list": lambda t: chat(hello, [user(t)]),
        "documents": lambda t: chat(hello, documents=[{"title": "a", "text": t}]),
        "chat_template": lambda t: chat(hello, chat_template=t),
        "chat_template_kwargs": lambda t: chat(hello, chat_template_kwargs={"a": t}),
    }


def _items() -> dict[str, Body]:
    def behind(item: Callable[[str], object]) -> Body:
        return lambda t: document(input=[user("Hello."), item(t)])

    return {
        "variables": lambda t: document(input="a", prompt={"id": "p", "variables": {"a": t}}),
        "variables-alone": lambda t: document(
            prompt={"id": "p", "variables": {"a": {"type": "input_text", "text": t}}}
        ),
        "string": behind(lambda t: t),
        "text-without-type": behind(lambda t: {"text": t}),
        "text-of-a-message": behind(lambda t: {"type": "message", "role": "user", "text": t}),
        "text-of-an-unknown-type": behind(lambda t: {"type": "weird", "text": t}),
        "content-as-an-object": behind(lambda t: {"role": "user", "content": {"text": t}}),
        "summary_text": behind(lambda t: user([{"type": "summary_text", "text": t}])),
    }


def _said() -> dict[str, Body]:
    """What an assistant said or called."""

    def assistant(**members: object) -> bytes:
        return chat(user("Hello."), {"role": "assistant", "content": "a", **members}, user("Yes."))

    def tool(depth: int, text: str) -> object:
        schema: object = {"description": text}
        for _ in range(depth):
            schema = {"properties": {"a": {"items": schema}}}
        return {"type": "function", "function": {"name": "f", "parameters": schema}}

    return {
        "reasoning_content": lambda t: assistant(reasoning_content=t),
        "refusal": lambda t: assistant(refusal=t),
        "thinking": lambda t: assistant(content=[{"type": "thinking", "thinking": t}]),
        "call-as-an-object": lambda t: assistant(function_call={"name": "f", "arguments": t}),
        "arguments-in-a-list": lambda t: assistant(
            tool_calls=[{"function": {"name": "f", "arguments": {"a": [t]}}}]
        ),
        "deep-in-a-tool": lambda t: chat(user("Hello."), tools=[tool(12, t)]),
        "schema-of-the-answer": lambda t: chat(
            user("Hello."),
            response_format={"type": "json_schema", "json_schema": {"schema": {"title": t}}},
        ),
    }


def _told() -> dict[str, Body]:
    """Items between an assistant and its tools."""

    def item(**members: object) -> bytes:
        return document(input=[user("Hello."), members, user("Yes.")])

    return {
        "summary": lambda t: item(type="reasoning", summary=[{"type": "summary_text", "text": t}]),
        "input": lambda t: item(type="custom_tool_call", name="a", input=t),
        "tools": lambda t: item(type="mcp_list_tools", tools=[{"name": "a", "description": t}]),
        "code": lambda t: item(type="code_interpreter_call", code=t),
        "results": lambda t: item(type="file_search_call", results=[{"text": t}]),
        "action": lambda t: item(type="local_shell_call", action={"command": [t]}),
        "output-as-an-object": lambda t: item(type="function_call_output", output={"a": t}),
        "schema-of-a-text": lambda t: document(input="a", text={"format": {"schema": {"a": t}}}),
    }


def _results() -> dict[str, Body]:
    def result(content: Callable[[str], object]) -> Body:
        return _beside(lambda t: {"type": "tool_result", "content": content(t)})

    return {
        "object": result(lambda t: {"a": t}),
        "type-last": _beside(lambda t: {"content": t, "type": "tool_result"}),
        "document": result(lambda t: [{"type": "document", "source": {"type": "text", "data": t}}]),
        "title": result(lambda t: [{"type": "search_result", "title": t}]),
    }
