"""Coding agents: what Claude Code, Codex, Cline, Roo, Aider, Continue, opencode and Cursor send.

Why this file exists: an agent's request is mostly harness, in each agent's own blocks and order.
The shapes are the clients', the words are ours. It must not know srd.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from clients.shapes import PATHS, Ask, Sent, Sizes, compact, packed, post
from clients.words import code, opaque, path, prose, rules, tools, tree

Message = dict[str, object]


def _text(text: str) -> Message:
    return {"type": "text", "text": text}


def _block(name: str, inside: str) -> str:
    return f"<{name}>\n{inside}\n</{name}>"


# Claude Code


def _reminder(rng: random.Random, size: int) -> str:
    head = "Notes of this project follow; they may or may not matter for what is asked.\n"
    return _block("system-reminder", head + rules(rng, size))


def _claude_round(
    rng: random.Random, sizes: Sizes, *, remind: bool, sealed: bool = True
) -> Iterator[Message]:
    thinking = {"type": "thinking", "thinking": prose(rng, 300), "signature": opaque(rng, 400)}
    use = f"toolu_{opaque(rng, 20).replace('/', 'a').replace('+', 'b')}"
    yield {
        "role": "assistant",
        "content": [
            *([thinking] if sealed else []),
            _text(prose(rng, 120)),
            {"type": "tool_use", "id": use, "name": "Read", "input": {"file_path": path(rng)}},
        ],
    }
    content: list[Message] = [
        {"type": "tool_result", "tool_use_id": use, "content": code(rng, sizes.result)}
    ]
    if remind:
        content.append(_text(_block("system-reminder", "The list of tasks is empty for now.")))
    yield {"role": "user", "content": content}


def _claude_messages(ask: Ask, rng: random.Random) -> list[Message]:
    sizes = ask.sizes
    messages: list[Message] = []
    for at, turn in enumerate(ask.turns):
        parts = [_text(turn)]
        if at == 0:
            parts = [
                _text(_reminder(rng, sizes.notes)),
                _text(_block("ide_opened_file", f"The file {path(rng)} is open in the IDE.")),
                *parts,
            ]
        elif at % 2:
            parts.append(_text(_block("system-reminder", "A file was changed meanwhile.")))
        messages.append({"role": "user", "content": parts})
        if at < len(ask.turns) - 1:
            messages += _claude_round(rng, sizes, remind=at % 2 == 0, sealed=ask.sealed)
            messages.append({"role": "assistant", "content": [_text(code(rng, sizes.answer))]})
    for at in range(ask.loop):
        messages += _claude_round(rng, sizes, remind=at % 2 == 0, sealed=ask.sealed)
    return messages


def _claude_body(ask: Ask, rng: random.Random, messages: list[Message]) -> bytes:
    cached = {"cache_control": {"type": "ephemeral"}}
    defined = [
        {
            "name": each["name"],
            "description": each["description"],
            "input_schema": each["parameters"],
        }
        for each in tools(rng, ask.sizes.tools)
    ]
    return compact(
        {
            "model": ask.model,
            "messages": messages,
            "system": [
                {**_text("You work in a terminal for a programmer."), **cached},
                {**_text(rules(rng, ask.sizes.system)), **cached},
            ],
            "tools": defined,
            "metadata": {"user_id": f"user_{opaque(rng, 24)}_session_1"},
            "max_tokens": 32000,
            "thinking": {"budget_tokens": 10000, "type": "enabled"},
            "context_management": {"edits": [{"type": "clear_thinking", "keep": "all"}]},
            "output_config": {"effort": "medium"},
            "stream": True,
        }
    )


def _claude_post(body: bytes) -> Sent:
    return post(
        PATHS["messages"] + "?beta=true",
        body,
        ("anthropic-version", "2023-06-01"),
        ("user-agent", "claude-cli/2.0 (external, cli)"),
    )


def claude_code(ask: Ask) -> Sent:
    """Parts: project notes, the open file, the question; results with reminders beside them."""
    rng = ask.rng
    return _claude_post(_claude_body(ask, rng, _claude_messages(ask, rng)))


def claude_code_deferred(ask: Ask) -> Sent:
    """The first user message is a string, and wholly a list of tools that come later."""
    rng = ask.rng
    names = "\n".join(str(each["name"]) for each in tools(rng, ask.sizes.notes * 4))
    listed: Message = {"role": "user", "content": _block("available-deferred-tools", names)}
    return _claude_post(_claude_body(ask, rng, [listed, *_claude_messages(ask, rng)]))


def claude_code_strings(ask: Ask) -> Sent:
    """User messages are strings: reminders, a slash command's remains and the words in one text."""
    rng = ask.rng
    messages: list[Message] = []
    for at, turn in enumerate(ask.turns):
        caveat = _block("local-command-caveat", "What follows was run on the user's machine.")
        command = (
            "<command-name>/model</command-name>\n            "
            "<command-message>model</command-message>\n            <command-args></command-args>"
        )
        out = "<local-command-stdout>Set the model.</local-command-stdout>"
        before = (
            f"{_reminder(rng, ask.sizes.notes)}\n{caveat}\n{command}\n{out}\n" if at == 0 else ""
        )
        messages.append({"role": "user", "content": before + turn})
        if at < len(ask.turns) - 1:
            messages.append({"role": "assistant", "content": prose(rng, ask.sizes.answer)})
    for _ in range(ask.loop):
        messages += _claude_round(rng, ask.sizes, remind=True, sealed=ask.sealed)
    return _claude_post(_claude_body(ask, rng, messages))


def claude_code_gzip(ask: Ask) -> Sent:
    """The same as `claude_code`, packed as some versions do with larger bodies."""
    return packed(claude_code(ask), "gzip")


def claude_code_compaction(ask: Ask) -> Sent:
    """The whole conversation, and a demand to sum it up in the human's name."""
    rng = ask.rng
    demand = (
        "Your task is to create a detailed summary of all that was said.\n\n"
        f"{prose(rng, ask.sizes.notes, 'cooking')}"
    )
    messages = _claude_messages(ask, rng)
    done: Message = {"role": "assistant", "content": [_text(prose(rng, ask.sizes.answer))]}
    asked: Message = {"role": "user", "content": [_text(demand)]}
    return _claude_post(_claude_body(ask, rng, [*messages, done, asked]))


def claude_code_title(ask: Ask) -> Sent:
    """A side call: a name for the conversation, with a system prompt of one line."""
    rng = ask.rng
    talk = "\n\n".join(
        f"User: {turn}\n\nClaude: {prose(rng, ask.sizes.answer, 'cooking')}" for turn in ask.turns
    )
    text = f"Please write a 5-10 word title for the following conversation:\n\n{talk}"
    body: dict[str, object] = {
        "model": ask.model,
        "max_tokens": 512,
        "messages": [{"role": "user", "content": [_text(text)]}],
        "system": [_text("Answer with a title and nothing else.")],
        "temperature": 0,
        "stream": True,
    }
    return _claude_post(compact(body))


# Codex CLI


def _item(role: str, *texts: str) -> Message:
    kind = "output_text" if role == "assistant" else "input_text"
    parts = [{"type": kind, "text": text} for text in texts]
    return {"type": "message", "role": role, "content": parts}


def _codex_round(rng: random.Random, sizes: Sizes, *, sealed: bool) -> Iterator[Message]:
    call = f"call_{rng.randrange(10**12)}"
    content = opaque(rng, 900)
    if sealed:
        yield {"type": "reasoning", "summary": [], "content": None, "encrypted_content": content}
    arguments = f'{{"command":["cat","{path(rng)}"]}}'
    yield {"type": "function_call", "name": "shell", "arguments": arguments, "call_id": call}
    yield {"type": "function_call_output", "call_id": call, "output": code(rng, sizes.result)}


def _codex(ask: Ask, *, ide: bool) -> Sent:
    rng = ask.rng
    sizes = ask.sizes
    agents = (
        f"# AGENTS.md instructions for /srv/{path(rng)}\n\n"
        f"{_block('INSTRUCTIONS', rules(rng, sizes.notes))}"
    )
    place = _block("environment_context", "  <cwd>/srv/app</cwd>\n  <shell>bash</shell>")
    items = [
        _item("developer", _block("permissions instructions", rules(rng, 1200))),
        _item("user", agents, place),
    ]
    for at, turn in enumerate(ask.turns):
        if ide:
            tabs = "\n".join(f"- {path_}" for path_ in tree(rng, 300).splitlines())
            turn = (
                f"# Context from my IDE setup:\n\n## Active file: {path(rng)}\n\n"
                f"## Open tabs:\n{tabs}\n\n## My request for Codex:\n{turn}\n"
            )
        items.append(_item("user", turn))
        if at < len(ask.turns) - 1:
            items += _codex_round(rng, sizes, sealed=ask.sealed)
            items.append(_item("assistant", prose(rng, sizes.answer)))
    for _ in range(ask.loop):
        items += _codex_round(rng, sizes, sealed=ask.sealed)
    body: dict[str, object] = {
        "model": ask.model,
        "instructions": rules(rng, sizes.system),
        "input": items,
        "tools": [
            {"type": "function", "strict": False, **each} for each in tools(rng, sizes.tools // 3)
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": opaque(rng, 32),
    }
    return post(PATHS["responses"], compact(body), ("user-agent", "codex_cli_rs/0.60 (Linux)"))


def codex(ask: Ask) -> Sent:
    """Items: permissions, AGENTS.md with the environment, then the human's message of its own."""
    return _codex(ask, ide=False)


def codex_zstd(ask: Ask) -> Sent:
    """The same, packed as recent versions do."""
    return packed(_codex(ask, ide=False), "zstd")


def codex_ide(ask: Ask) -> Sent:
    """The IDE extension: files and tabs in front of the request, in one text."""
    return _codex(ask, ide=True)


# Cline and Roo


def _details(rng: random.Random, sizes: Sizes) -> str:
    return _block(
        "environment_details",
        f"# Visible files\n{tree(rng, 60)}\n\n# Open tabs\n{tree(rng, 200)}\n\n"
        f"# Current time\n3/4/2026, 10:00 AM\n\n# Files\n{tree(rng, sizes.files)}\n\n# Mode\nACT",
    )


def _chat(ask: Ask, rng: random.Random, messages: list[Message], agent: str) -> Sent:
    system = {"role": "system", "content": rules(rng, ask.sizes.system * 2)}
    body: dict[str, object] = {
        "model": ask.model,
        "messages": [system, *messages],
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return post(PATHS["chat"], compact(body), ("user-agent", agent))


def _cline_result(rng: random.Random, sizes: Sizes, name: str) -> list[Message]:
    """A tool's result as Cline writes it into a user message: what it was for, then it."""
    return [_text(f"[{name} for '{path(rng)}'] Result:"), _text(code(rng, sizes.result))]


def cline(ask: Ask) -> Sent:
    """Tools in prose: results are user messages of text; later turns come as feedback."""
    rng = ask.rng
    messages: list[Message] = []

    def work() -> Iterator[Message]:
        yield {
            "role": "assistant",
            "content": f"<read_file>\n<path>{path(rng)}</path>\n</read_file>",
        }
        parts = [*_cline_result(rng, ask.sizes, "read_file"), _text(_details(rng, ask.sizes))]
        yield {"role": "user", "content": parts}

    for at, turn in enumerate(ask.turns):
        said = _text(_block("task", turn))
        if at:
            said = _text(
                f"[attempt_completion] Result:\nThere is feedback.\n{_block('feedback', turn)}"
            )
        messages.append({"role": "user", "content": [said, _text(_details(rng, ask.sizes))]})
        if at < len(ask.turns) - 1:
            messages += work()
            done = _block("attempt_completion", _block("result", prose(rng, ask.sizes.answer)))
            messages.append({"role": "assistant", "content": done})
    for _ in range(ask.loop):
        messages += work()
    return _chat(ask, rng, messages, "Cline/3.40")


def _call(rng: random.Random, sizes: Sizes, name: str) -> Iterator[Message]:
    """One call of a tool and its result, as chat completions have them."""
    use = f"call_{rng.randrange(10**12)}"
    arguments = f'{{"path":"{path(rng)}"}}'
    function = {"name": name, "arguments": arguments}
    yield {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": use, "type": "function", "function": function}],
    }
    yield {"role": "tool", "tool_call_id": use, "content": code(rng, sizes.result)}


def roo(ask: Ask) -> Sent:
    """Native tools; each human message in tags, the environment behind it in the same string."""
    rng = ask.rng
    messages: list[Message] = []
    for at, turn in enumerate(ask.turns):
        said = _block("user_message" if at else "task", turn)
        messages.append({"role": "user", "content": f"{said}\n\n{_details(rng, ask.sizes)}"})
        if at < len(ask.turns) - 1:
            messages += _call(rng, ask.sizes, "read_file")
            messages.append({"role": "assistant", "content": prose(rng, ask.sizes.answer)})
    for _ in range(ask.loop):
        messages += _call(rng, ask.sizes, "apply_diff")
    return _chat(ask, rng, messages, "RooCode/3.30")


# The others


def aider(ask: Ask) -> Sent:
    """Examples, a map of the repository and files as earlier user messages; the question last."""
    rng = ask.rng
    sizes = ask.sizes

    def pair(said: str, answer: str) -> list[Message]:
        return [{"role": "user", "content": said}, {"role": "assistant", "content": answer}]

    messages = [
        *pair("Change get_factorial() to use math.factorial", code(rng, 400)),
        *pair(
            "I switched to a new code base. Please don't consider the above files.", "Very well."
        ),
        *pair(
            "Here are summaries of some files present in my git repository.\n"
            f"They are not to be edited.\n\n{tree(rng, sizes.files)}\n{code(rng, sizes.files)}",
            "Very well.",
        ),
    ]
    for turn in ask.turns[:-1]:
        messages += pair(turn, prose(rng, sizes.answer))
    messages += pair(
        "I have *added these files to the chat* for you to edit.\n\n"
        f"{path(rng)}\n```\n{code(rng, sizes.files)}\n```",
        "Very well.",
    )
    ending = f"\n\n# *SEARCH/REPLACE block* Rules:\n\n{rules(rng, 900)}"
    messages.append({"role": "user", "content": ask.turns[-1] + ending})
    return _chat(ask, rng, messages, "litellm/1.80")


def continue_(ask: Ask) -> Sent:
    """An attached file in front of the question, in a fence that names it; native tools."""
    rng = ask.rng
    messages: list[Message] = []
    for at, turn in enumerate(ask.turns):
        fence = f"```{path(rng)}\n{code(rng, ask.sizes.files)}\n```\n"
        parts = [_text(fence), _text(turn)] if at == 0 else [_text(turn)]
        messages.append({"role": "user", "content": parts})
        if at < len(ask.turns) - 1:
            messages.append({"role": "assistant", "content": prose(rng, ask.sizes.answer)})
    for _ in range(ask.loop):
        messages += _call(rng, ask.sizes, "read_file")
    return _chat(ask, rng, messages, "continue/1.2")


def opencode(ask: Ask) -> Sent:
    """The question, then the attached file as a call and a result in words, then a reminder."""
    rng = ask.rng
    messages: list[Message] = []
    for at, turn in enumerate(ask.turns):
        parts = [_text(turn)]
        if at == 0:
            read = f'Called the Read tool with the following input: {{"filePath":"{path(rng)}"}}'
            parts += [_text(read), _text(_block("file", code(rng, ask.sizes.files)))]
            parts.append(_text(_block("system-reminder", "Only plan, change nothing.")))
        messages.append({"role": "user", "content": parts})
        if at < len(ask.turns) - 1:
            messages += _call(rng, ask.sizes, "read")
            messages.append({"role": "assistant", "content": prose(rng, ask.sizes.answer)})
    for _ in range(ask.loop):
        messages += _call(rng, ask.sizes, "bash")
    return _chat(ask, rng, messages, "opencode/1.18 (linux x64)")


def cursor(ask: Ask) -> Sent:
    """The editor's state in blocks in front of the question, which has a tag of its own."""
    rng = ask.rng
    messages: list[Message] = [
        {
            "role": "user",
            "content": "\n\n".join(
                [
                    _block("user_info", "OS: linux"),
                    _block("rules", rules(rng, ask.sizes.notes)),
                    _block("project_layout", tree(rng, ask.sizes.files)),
                ]
            ),
        }
    ]
    for at, turn in enumerate(ask.turns):
        state = _block("open_and_recently_viewed_files", tree(rng, 300))
        said = _block("user_query", turn)
        messages.append({"role": "user", "content": f"{state}{said}"})
        if at < len(ask.turns) - 1:
            messages.append({"role": "assistant", "content": prose(rng, ask.sizes.answer)})
    for _ in range(ask.loop):
        messages += _call(rng, ask.sizes, "read_file")
    return _chat(ask, rng, messages, "Cursor/2.3")
