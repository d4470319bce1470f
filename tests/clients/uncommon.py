"""Shapes that are rarer, larger or stranger than those of `agents` and `programs`.

Why this file exists: harness stands in its own part before or behind the question, is longer than
any budget, or follows a tool's result; a question stands behind a log or a document; and what holds
for a client as it usually is must hold for these. It must not know srd.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

from clients.shapes import PATHS, Ask, Client, Sent, compact, post
from clients.words import code, opaque, path, prose, rules, tree

Message = dict[str, object]
#: What a program puts around the words of one turn: a string, or parts.
Around = Callable[[random.Random, Ask, str], object]


def _text(text: str) -> Message:
    return {"type": "text", "text": text}


def _block(name: str, inside: str, attributes: str = "") -> str:
    return f"<{name}{attributes}>\n{inside}\n</{name}>"


def _reminder(rng: random.Random, size: int) -> str:
    return _block("system-reminder", f"# Notes on this place\n{rules(rng, size)}")


def _log(rng: random.Random, size: int) -> str:
    lines: list[str] = []
    while sum(map(len, lines)) < size:
        at = f"2026-04-{rng.randint(10, 28)} {rng.randint(10, 23)}:{rng.randint(10, 59)}:07"
        level = rng.choice(["INFO", "WARN", "ERROR", "DEBUG"])
        job = f"worker-{rng.randint(1, 9)}"
        lines.append(f"{at} {level} [{job}] {rng.choice(['retry', 'done', 'lost'])} {path(rng)}")
    return "\n".join(lines)


def _calls(rng: random.Random, count: int) -> list[Message]:
    """An agent's rounds at the end of a chat."""
    made: list[Message] = []
    for at in range(count):
        function = {"name": "shell", "arguments": json.dumps({"cmd": f"cat {path(rng)}"})}
        call: Message = {"id": f"call_{at}", "type": "function", "function": function}
        made.append({"role": "assistant", "content": None, "tool_calls": [call]})
        made.append({"role": "tool", "tool_call_id": f"call_{at}", "content": code(rng, 1500)})
    return made


def _chat(
    first: Around,
    later: Around | None = None,
    *,
    last: Around | None = None,
    system: int = 3_000,
) -> Callable[[Ask], Sent]:
    """Chat completions; `first` is what stands around the first turn, `later` around the others,
    or `last` around the last one alone, as retrieval and pasting do."""

    def build(ask: Ask) -> Sent:
        rng = ask.rng
        messages: list[Message] = [{"role": "system", "content": rules(rng, system)}]
        for at, turn in enumerate(ask.turns):
            way = first if at == 0 or later is None else later
            if last is not None and at == len(ask.turns) - 1:
                way = last
            messages.append({"role": "user", "content": way(rng, ask, turn)})
            if at < len(ask.turns) - 1:
                messages.append({"role": "assistant", "content": prose(rng, ask.sizes.answer)})
        messages += _calls(rng, ask.loop)
        body: dict[str, object] = {"model": ask.model, "messages": messages, "stream": True}
        return post(PATHS["chat"], compact(body))

    return build


def _result(rng: random.Random, size: int, *, parts: bool) -> Message:
    content: object = code(rng, size)
    if parts:
        content = [_text(code(rng, size)), _text(_reminder(rng, 300))]
    return {
        "type": "tool_result",
        "tool_use_id": f"toolu_{rng.randrange(10**9)}",
        "content": content,
    }


def _messages(
    first: Around, later: Around | None = None, *, before: Sequence[str] = ("model",)
) -> Callable[[Ask], Sent]:
    """The Messages API; a loop's results come as parts with reminders inside and beside them."""

    def build(ask: Ask) -> Sent:
        rng = ask.rng
        messages: list[Message] = []
        for at, turn in enumerate(ask.turns):
            way = first if at == 0 or later is None else later
            messages.append({"role": "user", "content": way(rng, ask, turn)})
            if at < len(ask.turns) - 1:
                messages.append(
                    {"role": "assistant", "content": [_text(prose(rng, ask.sizes.answer))]}
                )
        for at in range(ask.loop):
            use = {"type": "tool_use", "id": f"t{at}", "name": "Grep", "input": {"pattern": "x"}}
            messages.append({"role": "assistant", "content": [use]})
            content = [_result(rng, ask.sizes.result, parts=at % 2 == 0)]
            content += [_text(_reminder(rng, 500)), _text(_reminder(rng, 80))]
            messages.append({"role": "user", "content": content})
        members: dict[str, object] = {
            "model": ask.model,
            "max_tokens": 8_000,
            "system": [_text(rules(rng, ask.sizes.system))],
            "messages": messages,
            "stream": True,
        }
        ordered = {name: members[name] for name in (*before, *members)}
        return post(PATHS["messages"], compact(ordered), ("anthropic-version", "2023-06-01"))

    return build


def _item(role: str, *texts: str) -> Message:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": t} for t in texts]}


def _responses(
    lead: Callable[[random.Random, Ask], list[Message]], around: Around
) -> Callable[[Ask], Sent]:
    """The Responses API; `lead` are the items in front of the first turn."""

    def build(ask: Ask) -> Sent:
        rng = ask.rng
        items = lead(rng, ask)
        for at, turn in enumerate(ask.turns):
            given = around(rng, ask, turn)
            if isinstance(given, str):
                items.append(_item("user", given))
            else:
                items.append({"type": "message", "role": "user", "content": given})
            if at < len(ask.turns) - 1:
                items.append(_item("assistant", prose(rng, ask.sizes.answer)))
        for at in range(ask.loop):
            call = f"call_{at}"
            arguments = json.dumps({"command": ["sed", "-n", "1,9p", path(rng)]})
            items.append(
                {"type": "function_call", "name": "shell", "arguments": arguments, "call_id": call}
            )
            items.append(
                {
                    "type": "function_call_output",
                    "call_id": call,
                    "output": code(rng, ask.sizes.result),
                }
            )
        body: dict[str, object] = {
            "model": ask.model,
            "instructions": rules(rng, ask.sizes.system),
            "input": items,
            "store": False,
            "stream": True,
        }
        return post(PATHS["responses"], compact(body))

    return build


def _bare(rng: random.Random, ask: Ask, turn: str) -> object:
    return turn


# Reminders and notes, in parts and strings


def _part_before(rng: random.Random, ask: Ask, turn: str) -> object:
    return [_text(_reminder(rng, ask.sizes.notes)), _text(turn)]


def _part_behind(rng: random.Random, ask: Ask, turn: str) -> object:
    return [_text(turn), _text(_reminder(rng, ask.sizes.notes))]


def _parts_around(rng: random.Random, ask: Ask, turn: str) -> object:
    many = [_text(_reminder(rng, ask.sizes.notes // 3)) for _ in range(4)]
    return [*many[:2], _text(turn), *many[2:]]


def _string_around(rng: random.Random, ask: Ask, turn: str) -> object:
    first, last = (_reminder(rng, ask.sizes.notes // 2) for _ in range(2))
    return f"{first}\n\n{turn}\n\n{last}\n"


def _huge_before(size: int) -> Around:
    def around(rng: random.Random, ask: Ask, turn: str) -> object:
        return [_text(_reminder(rng, size)), _text(turn)]

    return around


def _huge_string(rng: random.Random, ask: Ask, turn: str) -> object:
    return f"{_reminder(rng, 70_000)}\n{turn}"


def _after_result(rng: random.Random, ask: Ask, turn: str) -> object:
    """Typed while a tool was at work: it stands beside the tool's result."""
    return [_result(rng, ask.sizes.result, parts=True), _text(_reminder(rng, 300)), _text(turn)]


def _interrupted(rng: random.Random, ask: Ask, turn: str) -> object:
    return [
        _result(rng, ask.sizes.result, parts=False),
        _text("[Request interrupted by user for tool use]"),
        _text(turn),
    ]


# Codex


def _codex_large(rng: random.Random, ask: Ask) -> list[Message]:
    notes = _block("INSTRUCTIONS", rules(rng, 100_000))
    return [
        _item("developer", _block("permissions instructions", rules(rng, 900))),
        _item("user", f"# AGENTS.md instructions for /srv/app\n\n{notes}"),
        _item("user", _block("environment_context", "  <cwd>/srv/app</cwd>")),
    ]


def _codex_older(rng: random.Random, ask: Ask) -> list[Message]:
    return [
        _item("user", _block("user_instructions", f"\n{rules(rng, ask.sizes.notes)}\n")),
        _item("user", _block("environment_context", "  <cwd>/srv/app</cwd>\n  <shell>zsh</shell>")),
    ]


def _codex_developers(rng: random.Random, ask: Ask) -> list[Message]:
    return [
        _item("developer", _block("permissions instructions", rules(rng, 1_500))),
        _item("developer", _block("collaboration_mode", prose(rng, 900, "cooking"))),
        _item("developer", prose(rng, 1_200, "cooking")),
        _item("user", _block("environment_context", "  <cwd>/srv/app</cwd>")),
    ]


def _no_items(rng: random.Random, ask: Ask) -> list[Message]:
    return []


def _picture_item(rng: random.Random, ask: Ask, turn: str) -> object:
    url = f"data:image/png;base64,{opaque(rng, ask.sizes.picture)}"
    return [{"type": "input_image", "image_url": url}, {"type": "input_text", "text": turn}]


def _file_item(rng: random.Random, ask: Ask, turn: str) -> object:
    data = f"data:application/pdf;base64,{opaque(rng, ask.sizes.picture)}"
    shown = {"type": "input_file", "filename": "paper.pdf", "file_data": data}
    return [shown, {"type": "input_text", "text": turn}]


def _document_part(rng: random.Random, ask: Ask, turn: str) -> object:
    source = {
        "type": "base64",
        "media_type": "application/pdf",
        "data": opaque(rng, ask.sizes.picture),
    }
    return [{"type": "document", "source": source}, _text(turn)]


# Cline and its kin


def _details(rng: random.Random, ask: Ask) -> str:
    return _block(
        "environment_details",
        f"# VSCode Visible Files\n{tree(rng, 80)}\n\n# Current Time\n4/3/2026, 9:00:00 AM\n\n"
        f"# Current Working Directory (/srv/app) Files\n{tree(rng, ask.sizes.files)}\n\n"
        "# Context Window Usage\n12,000 / 200K tokens used (6%)\n\n# Current Mode\nACT MODE",
    )


def _cline_string(rng: random.Random, ask: Ask, turn: str) -> object:
    return f"{_block('task', turn)}\n\n{_details(rng, ask)}"


def _cline_mention(rng: random.Random, ask: Ask, turn: str) -> object:
    """The human named a file, which Cline puts behind the task."""
    name = path(rng)
    shown = _block("file_content", code(rng, ask.sizes.files), f' path="{name}"')
    todo = f"# TODO LIST CREATION REQUIRED\n{prose(rng, 600, 'cooking')}"
    return [_text(f"{_block('task', turn)}\n\n{shown}"), _text(_details(rng, ask)), _text(todo)]


def _cline_answer(rng: random.Random, ask: Ask, turn: str) -> object:
    said = f"[ask_followup_question for 'Which one?'] Result:\n{_block('answer', turn)}"
    return [_text(said), _text(_details(rng, ask))]


def _cline_huge(rng: random.Random, ask: Ask, turn: str) -> object:
    details = _block("environment_details", f"# Files\n{tree(rng, 70_000)}")
    return [_text(_block("task", turn)), _text(details)]


# Aider, Continue, opencode, editors


def _aider_large(ask: Ask) -> Sent:
    """40 KB of files in earlier user messages; the rules for edits as a system message."""
    rng = ask.rng
    files = "\n\n".join(f"{path(rng)}\n```\n{code(rng, 10_000)}\n```" for _ in range(4))
    readonly = f"Here are some READ ONLY files, provided for your reference.\n\n{files}"
    added = (
        "I have *added these files to the chat* so you can go ahead and edit them.\n\n"
        f"{path(rng)}\n```\n{code(rng, 4_000)}\n```"
    )
    listed = f"Here are summaries of some files present in my git repository.\n\n{tree(rng, 9_000)}"
    messages: list[Message] = [{"role": "system", "content": rules(rng, 6_000)}]
    for said in (listed, readonly):
        messages.append({"role": "user", "content": said})
        messages.append({"role": "assistant", "content": "Ok."})
    for turn in ask.turns[:-1]:
        messages.append({"role": "user", "content": turn})
        messages.append({"role": "assistant", "content": prose(rng, ask.sizes.answer)})
    messages.append({"role": "user", "content": added})
    messages.append(
        {"role": "assistant", "content": "Ok, any changes I propose will be to those files."}
    )
    messages.append({"role": "user", "content": ask.turns[-1]})
    messages.append({"role": "system", "content": rules(rng, 2_000)})
    body: dict[str, object] = {"model": ask.model, "messages": messages, "temperature": 0}
    return post(PATHS["chat"], compact(body))


def _continue_items(rng: random.Random, ask: Ask, turn: str) -> object:
    """Context items, each in a fence that names it and its lines, then the words, in one string."""
    items = "".join(
        f"```{path(rng)} ({at}-{at + 40})\n{code(rng, ask.sizes.files // 2)}\n```\n"
        for at in (1, 90)
    )
    return f"{items}\n{turn}"


def _opencode_notes(rng: random.Random, ask: Ask, turn: str) -> object:
    place = _block(
        "file",
        "\n".join(f"{at:05d}| {line}" for at, line in enumerate(code(rng, 2_000).splitlines(), 1)),
    )
    read = f'Called the Read tool with the following input: {{"filePath":"/srv/{path(rng)}"}}'
    return [_text(turn), _text(read), _text(place), _text(_reminder(rng, 500))]


def _cursor_one(rng: random.Random, ask: Ask, turn: str) -> object:
    state = _block(
        "additional_data", _block("current_file", f"Path: {path(rng)}\n{code(rng, 1_500)}")
    )
    attached = _block("attached_files", code(rng, ask.sizes.files))
    return f"{state}\n\n{attached}\n\n{_block('user_query', turn)}"


def _cursor_first(rng: random.Random, ask: Ask, turn: str) -> object:
    attached = _block("attached_files", code(rng, ask.sizes.files))
    return [_text(_block("user_query", turn)), _text(attached)]


def _copilot(rng: random.Random, ask: Ask, turn: str) -> object:
    attached = _block("attachment", code(rng, ask.sizes.files), f' id="{path(rng)}"')
    return [
        _text(_block("environment_info", "The user's current OS is: Linux")),
        _text(_block("workspace_info", tree(rng, 2_000))),
        _text(
            f"{_block('attachments', attached)}\n{_block('context', 'Today is April 3.')}\n"
            f"{_block('reminderInstructions', prose(rng, 700, 'cooking'))}\n"
            f"{_block('userRequest', turn)}"
        ),
    ]


# Retrieval, logs, documents


def _rag_last(rng: random.Random, ask: Ask, turn: str) -> object:
    return f"Context:\n{prose(rng, ask.sizes.context)}\n\nQuestion: {turn}"


def _rag_first(rng: random.Random, ask: Ask, turn: str) -> object:
    return f"Question: {turn}\n\nContext:\n{prose(rng, ask.sizes.context)}"


def _rag_answer(rng: random.Random, ask: Ask, turn: str) -> object:
    sources = "\n\n".join(f"[{at}] {prose(rng, ask.sizes.context // 4)}" for at in range(1, 5))
    lead = "Answer with the help of these sources and cite them."
    return f"{lead}\n\nSources:\n{sources}\n\nQuestion: {turn}\n\nAnswer:"


def _rag_documents(rng: random.Random, ask: Ask, turn: str) -> object:
    def document(at: int) -> str:
        inside = _block("document_content", prose(rng, ask.sizes.context // 3))
        return _block("document", f"<source>{path(rng)}</source>\n{inside}", f' index="{at}"')

    shown = "\n".join(map(document, (1, 2, 3)))
    return f"{_block('documents', shown)}\n\n{turn}"


def _behind_log(rng: random.Random, ask: Ask, turn: str) -> object:
    return f"{_log(rng, 2_000)}\n\n{turn}"


def _before_log(rng: random.Random, ask: Ask, turn: str) -> object:
    return f"{turn}\n\n```\n{_log(rng, 4_000)}\n```"


def _attached_first(rng: random.Random, ask: Ask, turn: str) -> object:
    return [_text(f"{path(rng)}\n\n{code(rng, ask.sizes.files)}"), _text(turn)]


def _attached_last(rng: random.Random, ask: Ask, turn: str) -> object:
    return [_text(turn), _text(code(rng, ask.sizes.files))]


def _behind_document(rng: random.Random, ask: Ask, turn: str) -> object:
    paragraphs = "\n\n".join(prose(rng, 800) for _ in range(25))
    return f"{paragraphs}\n\n{turn}"


def _with_code(rng: random.Random, ask: Ask, turn: str) -> object:
    return f"{turn}\n\n```python\n{code(rng, 700)}\n```"


_SIMPLE: tuple[tuple[str, str, Callable[[Ask], Sent]], ...] = (
    ("reminder in a part before", "messages", _messages(_part_before, _bare)),
    ("reminder in a part behind", "messages", _messages(_part_behind, _part_behind)),
    ("reminders around, parts", "messages", _messages(_parts_around, _part_before)),
    ("reminders around, string", "messages", _messages(_string_around, _string_around)),
    ("reminders around, chat", "chat", _chat(_string_around, _parts_around)),
    ("reminder of 30 KB", "messages", _messages(_huge_before(30_000), _part_behind)),
    ("reminder of 64 KB", "messages", _messages(_huge_before(65_300), _part_behind)),
    ("reminder of 100 KB", "messages", _messages(_huge_before(100_000), _part_behind)),
    ("reminder of 70 KB, string", "messages", _messages(_huge_string, _bare)),
    ("system of 14 KB first", "messages", _messages(_part_before, before=("system", "model"))),
    ("words beside a result", "messages", _messages(_part_before, _after_result)),
    ("words after an interruption", "messages", _messages(_part_before, _interrupted)),
    ("codex, notes of 100 KB", "responses", _responses(_codex_large, _bare)),
    ("codex, older", "responses", _responses(_codex_older, _bare)),
    ("codex, developer items", "responses", _responses(_codex_developers, _bare)),
    ("responses, picture", "responses", _responses(_no_items, _picture_item)),
    ("responses, file", "responses", _responses(_no_items, _file_item)),
    ("messages, document", "messages", _messages(_document_part)),
    ("cline, string", "chat", _chat(_cline_string, _cline_answer, system=30_000)),
    ("cline, file named", "chat", _chat(_cline_mention, _cline_answer, system=30_000)),
    ("cline, 70 KB of files", "chat", _chat(_cline_huge, _cline_answer)),
    ("aider, 40 KB of files", "chat", _aider_large),
    ("continue, items", "chat", _chat(_continue_items)),
    ("opencode, notes", "chat", _chat(_opencode_notes, _bare)),
    ("cursor, one string", "chat", _chat(_cursor_one)),
    ("cursor, words first", "chat", _chat(_cursor_first)),
    ("copilot", "chat", _chat(_copilot)),
)

_PASTED: tuple[tuple[str, Around], ...] = (
    ("rag, question last", _rag_last),
    ("rag, question first", _rag_first),
    ("rag, sources", _rag_answer),
    ("rag, documents", _rag_documents),
    ("behind a log", _behind_log),
    ("before a log", _before_log),
    ("attachment first", _attached_first),
    ("attachment last", _attached_last),
    ("behind a document", _behind_document),
    ("with code", _with_code),
)

UNCOMMON = (
    *(Client(name=n, api=a, build=b, agent=True) for n, a, b in _SIMPLE),
    *(
        Client(name=n, api="chat", build=_chat(_bare, last=last), agent=True, pasted=True)
        for n, last in _PASTED
    ),
)
