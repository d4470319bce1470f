"""What the backend says: the answer documents and event streams of the four API shapes.

Why this file exists: one place that knows how vLLM's answers look, so that a client cannot tell the
demo from it by shape. It must not know about connections or timing.
"""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ids = itertools.count(1)
_QUOTED_CHARS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The text of one answer and what it counts. Tokens here are words: nothing is tokenized.

    `finish` is OpenAI's finish_reason, "stop" or "length". `include_usage` is
    stream_options.include_usage.
    """

    id: str
    model: str
    words: tuple[str, ...]
    finish: str
    prompt_tokens: int
    include_usage: bool
    created: int

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(self.words)


def compose(fields: Mapping[str, Any], *, model: str, size: int, request_id: str | None) -> Reply:
    """Compose the answer to a request of `size` body bytes: who answers, and what was asked.

    `max_tokens` (or its newer names) cuts it, as in a real engine.
    """
    question = _question(fields)
    asked = f' You asked: "{question[:_QUOTED_CHARS]}"' if question else ""
    words = tuple(_words(f"This is {model}.{asked} I received {size} bytes."))
    limit = next(
        (
            fields[key]
            for key in ("max_completion_tokens", "max_tokens", "max_output_tokens")
            if isinstance(fields.get(key), int)
        ),
        len(words),
    )
    options = fields.get("stream_options")
    return Reply(
        id=request_id or f"{next(_ids):012x}",
        model=model,
        words=words[: max(1, limit)],
        finish="length" if limit < len(words) else "stop",
        prompt_tokens=len(question.split()) if question else size // 4,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        created=int(time.time()),
    )


def _words(text: str) -> Iterator[str]:
    for index, word in enumerate(text.split(" ")):
        yield word if index == 0 else f" {word}"


def _question(fields: Mapping[str, Any]) -> str:
    """Return the last user text in any of the four shapes, "" when there is none."""
    turns = fields.get("messages", fields.get("input", fields.get("prompt")))
    if isinstance(turns, str):
        return turns
    for turn in reversed(turns) if isinstance(turns, list) else ():
        if isinstance(turn, str):
            return turn
        if isinstance(turn, dict) and turn.get("role") == "user":
            return _content_text(turn.get("content"))
    return ""


def _content_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(
        p["text"] for p in parts if isinstance(p, dict) and isinstance(p.get("text"), str)
    )


def error(message: str, kind: str, status: int, param: str | None = None) -> dict[str, Any]:
    """Return vLLM's error document."""
    return {"error": {"message": message, "type": kind, "param": param, "code": status}}


def model_not_found(model: str) -> dict[str, Any]:
    """Return vLLM's answer to a model name that it does not serve; its HTTP status is 404."""
    return error(f"The model `{model}` does not exist.", "NotFoundError", 404, "model")


def model_list(base: str, adapters: tuple[str, ...]) -> dict[str, Any]:
    """Return the document of GET /v1/models: the base, then the adapters, whose parent it is."""
    created = int(time.time())

    def entry(name: str, parent: str | None) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": created,
            "owned_by": "vllm",
            "root": name,
            "parent": parent,
        }

    return {"object": "list", "data": [entry(base, None), *(entry(a, base) for a in adapters)]}


def _usage(reply: Reply) -> dict[str, int]:
    completion = len(reply.words)
    return {
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": reply.prompt_tokens + completion,
    }


def _usage_in_out(reply: Reply) -> dict[str, int]:
    return {"input_tokens": reply.prompt_tokens, "output_tokens": len(reply.words)}


def _data(document: Mapping[str, Any], event: str | None = None) -> bytes:
    name = "" if event is None else f"event: {event}\n"
    return name.encode() + b"data: " + to_json(document) + b"\n\n"


def to_json(document: Mapping[str, Any]) -> bytes:
    """A document as UTF-8; half a surrogate pair, which a client may have sent, is escaped."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace")


_DONE = b"data: [DONE]\n\n"


class Chat:
    """POST /v1/chat/completions."""

    @staticmethod
    def document(reply: Reply) -> dict[str, Any]:
        """Return the whole answer."""
        message = {"role": "assistant", "content": reply.text}
        return {
            "id": f"chatcmpl-{reply.id}",
            "object": "chat.completion",
            "created": reply.created,
            "model": reply.model,
            "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish}
            ],
            "usage": _usage(reply),
        }

    @staticmethod
    def events(reply: Reply) -> Iterator[bytes]:
        """Yield role chunk, one chunk per word, finish chunk, usage chunk on request, [DONE]."""
        base = {
            "id": f"chatcmpl-{reply.id}",
            "object": "chat.completion.chunk",
            "created": reply.created,
            "model": reply.model,
        }

        def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return _data({**base, "choices": [choice]})

        yield chunk({"role": "assistant", "content": ""})
        for word in reply.words:
            yield chunk({"content": word})
        yield chunk({}, reply.finish)
        if reply.include_usage:
            yield _data({**base, "choices": [], "usage": _usage(reply)})
        yield _DONE


class Completions:
    """POST /v1/completions."""

    @staticmethod
    def document(reply: Reply) -> dict[str, Any]:
        """Return the whole answer."""
        return {
            "id": f"cmpl-{reply.id}",
            "object": "text_completion",
            "created": reply.created,
            "model": reply.model,
            "choices": [
                {"index": 0, "text": reply.text, "logprobs": None, "finish_reason": reply.finish}
            ],
            "usage": _usage(reply),
        }

    @staticmethod
    def events(reply: Reply) -> Iterator[bytes]:
        """Yield one chunk per word, a finish chunk, the usage chunk on request, [DONE]."""
        base = {
            "id": f"cmpl-{reply.id}",
            "object": "text_completion",
            "created": reply.created,
            "model": reply.model,
        }

        def chunk(text: str, finish: str | None = None) -> bytes:
            choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
            return _data({**base, "choices": [choice]})

        for word in reply.words:
            yield chunk(word)
        yield chunk("", reply.finish)
        if reply.include_usage:
            yield _data({**base, "choices": [], "usage": _usage(reply)})
        yield _DONE


class Responses:
    """POST /v1/responses, text output only."""

    @staticmethod
    def document(reply: Reply, *, status: str = "completed") -> dict[str, Any]:
        """Return the whole answer; `status` "in_progress" has no output yet."""
        done = status == "completed"
        content = [{"type": "output_text", "text": reply.text, "annotations": []}]
        item = {
            "id": f"msg_{reply.id}",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }
        counts = _usage_in_out(reply)
        return {
            "id": f"resp_{reply.id}",
            "object": "response",
            "created_at": reply.created,
            "status": status,
            "model": reply.model,
            "output": [item] if done else [],
            "usage": {**counts, "total_tokens": sum(counts.values())} if done else None,
        }

    @classmethod
    def events(cls, reply: Reply) -> Iterator[bytes]:
        """Yield response.created, a text delta per word, response.completed."""
        numbers = itertools.count()

        def event(kind: str, **values: Any) -> bytes:
            return _data({"type": kind, "sequence_number": next(numbers), **values}, kind)

        yield event("response.created", response=cls.document(reply, status="in_progress"))
        where = {"item_id": f"msg_{reply.id}", "output_index": 0, "content_index": 0}
        for word in reply.words:
            yield event("response.output_text.delta", delta=word, **where)
        yield event("response.output_text.done", text=reply.text, **where)
        yield event("response.completed", response=cls.document(reply))


class Messages:
    """POST /v1/messages, Anthropic's shape as vLLM serves it."""

    @staticmethod
    def document(reply: Reply) -> dict[str, Any]:
        """Return the whole answer."""
        return {
            "id": f"msg_{reply.id}",
            "type": "message",
            "role": "assistant",
            "model": reply.model,
            "content": [{"type": "text", "text": reply.text}],
            "stop_reason": "max_tokens" if reply.finish == "length" else "end_turn",
            "stop_sequence": None,
            "usage": _usage_in_out(reply),
        }

    @classmethod
    def events(cls, reply: Reply) -> Iterator[bytes]:
        """Yield message_start, one text block in deltas, message_delta with usage, message_stop."""

        def event(kind: str, **values: Any) -> bytes:
            return _data({"type": kind, **values}, kind)

        whole = cls.document(reply)
        started = {"input_tokens": reply.prompt_tokens, "output_tokens": 0}
        empty = {**whole, "content": [], "stop_reason": None, "usage": started}
        yield event("message_start", message=empty)
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for word in reply.words:
            delta = {"type": "text_delta", "text": word}
            yield event("content_block_delta", index=0, delta=delta)
        yield event("content_block_stop", index=0)
        stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        yield event("message_delta", delta=stop, usage=_usage_in_out(reply))
        yield event("message_stop")


SHAPES: Mapping[str, type[Chat | Completions | Responses | Messages]] = {
    "/v1/chat/completions": Chat,
    "/v1/completions": Completions,
    "/v1/responses": Responses,
    "/v1/messages": Messages,
}
