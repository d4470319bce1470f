"""Programs that are no agents: SDKs, chat front ends and their helper prompts, RAG libraries.

Why this file exists: here the question stands bare, or behind a template with another subject in
front. The openings and markers are the programs', the words between them are ours. It must not
know srd.
"""

from __future__ import annotations

import random

from clients.shapes import PATHS, Ask, Sent, compact, post
from clients.words import opaque, prose

Message = dict[str, object]


def _talk(ask: Ask, rng: random.Random) -> list[Message]:
    """The turns with answers between them."""
    messages: list[Message] = []
    for at, turn in enumerate(ask.turns):
        messages.append({"role": "user", "content": turn})
        if at < len(ask.turns) - 1:
            messages.append({"role": "assistant", "content": prose(rng, ask.sizes.answer)})
    return messages


def _quoted(ask: Ask, rng: random.Random, human: str, other: str, *, answered: bool) -> str:
    """The turns as lines of a quoted conversation."""
    lines: list[str] = []
    for at, turn in enumerate(ask.turns):
        lines.append(f"{human}: {turn}")
        if answered or at < len(ask.turns) - 1:
            lines.append(f"{other}: {prose(rng, ask.sizes.answer, 'cooking')}")
    return "\n".join(lines)


def openai_python(ask: Ask) -> Sent:
    """`messages` before `model`, plain strings."""
    members: dict[str, object] = {"messages": _talk(ask, ask.rng), "model": ask.model}
    return post(PATHS["chat"], compact(members), ("user-agent", "OpenAI/Python 3.57"))


def openai_node(ask: Ask) -> Sent:
    """`model` first, the stream's options last."""
    members: dict[str, object] = {
        "model": ask.model,
        "messages": _talk(ask, ask.rng),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return post(PATHS["chat"], compact(members), ("user-agent", "OpenAI/JS 6.9"))


def openai_responses(ask: Ask) -> Sent:
    """`input` before `model`; items have roles and strings; one turn is a string alone."""
    talk = _talk(ask, ask.rng)
    given: object = ask.turns[0] if len(ask.turns) == 1 else talk
    members = {"input": given, "model": ask.model}
    return post(PATHS["responses"], compact(members), ("user-agent", "OpenAI/Python 3.57"))


def anthropic_python(ask: Ask) -> Sent:
    """`max_tokens` first; the system prompt stands outside of the messages."""
    rng = ask.rng
    members: dict[str, object] = {
        "max_tokens": 1024,
        "messages": _talk(ask, rng),
        "model": ask.model,
        "system": prose(rng, ask.sizes.system, "sailing"),
    }
    return post(PATHS["messages"], compact(members), ("anthropic-version", "2023-06-01"))


def curl(ask: Ask) -> Sent:
    """By hand: spaces, and the content type that `curl -d` sends."""
    sent = openai_node(ask)
    body = sent.body.replace(b'","', b'", "')
    return Sent(sent.path, (("content-type", "application/x-www-form-urlencoded"),), body)


def picture_chat(ask: Ask) -> Sent:
    """A picture in front of the question, in the same message."""
    rng = ask.rng
    messages = _talk(ask, rng)
    url = f"data:image/png;base64,{opaque(rng, ask.sizes.picture)}"
    shown = {"type": "image_url", "image_url": {"url": url}}
    messages[-1]["content"] = [shown, {"type": "text", "text": ask.turns[-1]}]
    return post(PATHS["chat"], compact({"model": ask.model, "messages": messages}))


def picture_messages(ask: Ask) -> Sent:
    """The same for the Messages API."""
    rng = ask.rng
    messages = _talk(ask, rng)
    data = opaque(rng, ask.sizes.picture)
    source = {"type": "base64", "media_type": "image/png", "data": data}
    shown = {"type": "image", "source": source}
    messages[-1]["content"] = [shown, {"type": "text", "text": ask.turns[-1]}]
    members: dict[str, object] = {"model": ask.model, "max_tokens": 512, "messages": messages}
    return post(PATHS["messages"], compact(members), ("anthropic-version", "2023-06-01"))


def _webui(ask: Ask, messages: list[Message], *, helper: bool) -> Sent:
    members: dict[str, object] = {"model": ask.model, "messages": messages, "stream": not helper}
    if helper:
        members["max_completion_tokens"] = 1000
    return post(PATHS["chat"], compact(members), ("user-agent", "Open WebUI"))


def _only(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def open_webui(ask: Ask) -> Sent:
    """A chat as it is."""
    return _webui(ask, _talk(ask, ask.rng), helper=False)


def _webui_helper(ask: Ask, task: str, *, answered: bool) -> Sent:
    rng = ask.rng
    hints = "\n".join(f"- {line}" for line in prose(rng, 900, "cooking").splitlines())
    talk = _quoted(ask, rng, "USER", "ASSISTANT", answered=answered)
    text = (
        f"### Task:\n{task}\n### Guidelines:\n{hints}\n### Output:\nJSON, and nothing beside it.\n"
        f"### Chat History:\n<chat_history>\n{talk}\n</chat_history>"
    )
    return _webui(ask, _only(text), helper=True)


def open_webui_title(ask: Ask) -> Sent:
    """A name for the chat."""
    return _webui_helper(ask, "Find a name of a few words for this chat.", answered=True)


def open_webui_tags(ask: Ask) -> Sent:
    """Tags for the chat."""
    return _webui_helper(ask, "Find one to three tags such as Science or Travel.", answered=True)


def open_webui_follow_ups(ask: Ask) -> Sent:
    """What might be asked next."""
    return _webui_helper(ask, "Propose what might be asked next.", answered=True)


def open_webui_query(ask: Ask) -> Sent:
    """Queries for a search, before the question is answered."""
    return _webui_helper(ask, "Write up to three queries for a search engine.", answered=False)


def open_webui_rag(ask: Ask) -> Sent:
    """Passages in front of the question, in the last user message."""
    rng = ask.rng
    messages = _talk(ask, rng)
    passages = "\n".join(
        f'<source id="{at}" name="notes.md">{prose(rng, ask.sizes.context // 3)}</source>'
        for at in range(1, 4)
    )
    messages[-1]["content"] = (
        f"### Task:\nAnswer from the sources and name them.\n\n### Guidelines:\n- Be short.\n\n"
        f"<context>\n{passages}\n</context>\n\n{ask.turns[-1]}"
    )
    return _webui(ask, messages, helper=False)


def librechat_title(ask: Ask) -> Sent:
    """A name for the conversation so far."""
    talk = _quoted(ask, ask.rng, "User", "AI", answered=True)
    text = f"Provide a concise, 5-word-or-less title for this talk.\n\nConversation:\n{talk}"
    members: dict[str, object] = {"model": ask.model, "messages": _only(text)}
    return post(PATHS["chat"], compact(members))


def _library(ask: Ask, text: str) -> Sent:
    """What the Python libraries send: one user message in front of the model."""
    members: dict[str, object] = {"messages": _only(text), "model": ask.model, "temperature": 0.1}
    return post(PATHS["chat"], compact(members), ("user-agent", "OpenAI/Python 3.57"))


def _passages(ask: Ask, rng: random.Random) -> str:
    return "\n\n".join(prose(rng, ask.sizes.context // 3) for _ in range(3))


def langchain_question(ask: Ask) -> Sent:
    """Passages first, the question behind a marker."""
    text = (
        "Use the following pieces of context to answer the question at the end. Never guess.\n\n"
        f"{_passages(ask, ask.rng)}\n\nQuestion: {ask.turns[-1]}\nHelpful Answer:"
    )
    return _library(ask, text)


def langchain_condense(ask: Ask) -> Sent:
    """A question that depends on the talk before it, to be made to stand alone."""
    rng = ask.rng
    before = Ask(ask.turns[:-1], sizes=ask.sizes)
    text = (
        "Given the following conversation and a follow up question, make one that stands alone.\n\n"
        f"Chat History:\n{_quoted(before, rng, 'Human', 'Assistant', answered=True)}\n"
        f"Follow Up Input: {ask.turns[-1]}\nStandalone question:"
    )
    return _library(ask, text)


def llamaindex_question(ask: Ask) -> Sent:
    """Passages between rules, the query behind a marker."""
    text = (
        f"Context information is below.\n{'-' * 21}\n{_passages(ask, ask.rng)}\n{'-' * 21}\n"
        f"Use nothing else that you know.\nQuery: {ask.turns[-1]}\nAnswer: "
    )
    return _library(ask, text)


def llamaindex_refine(ask: Ask) -> Sent:
    """The query first, then an answer so far and more passages."""
    rng = ask.rng
    text = (
        f"The original query is as follows: {ask.turns[-1]}\n"
        f"We have provided an existing answer: {prose(rng, ask.sizes.answer)}\nBetter it.\n"
        f"{'-' * 12}\n{_passages(ask, rng)}\n{'-' * 12}\nRefined Answer: "
    )
    return _library(ask, text)
