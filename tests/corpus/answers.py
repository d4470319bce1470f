"""Answers in every provider's form, and an oracle that reads them with Python's json alone."""

from __future__ import annotations

import gzip
import json
import zlib

import brotli
import zstandard


def sse(*documents, event=False):
    lines = [
        (f"event: {document['type']}\n" if event else "") + f"data: {json.dumps(document)}\n\n"
        for document in documents
    ]
    return "".join(lines).encode()


_DONE = b"data: [DONE]\n\n"
_USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 22,
    "prompt_tokens_details": {"cached_tokens": 5},
}


def _chunk(content="", reason=None, **more):
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": reason}
    return {"object": "chat.completion.chunk", "model": "m", "choices": [choice], **more}


def forms(text):
    """name -> (body, is it a stream of events), each with `text` somewhere in the answer."""
    last = {**_chunk(), "choices": [], "usage": _USAGE}
    chat = {
        "model": "m",
        "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
    response = {"object": "response", "model": "r", "status": "in_progress", "usage": None}
    final = {
        **response,
        "status": "completed",
        "output": [{"type": "message", "status": "completed", "content": [{"text": text}]}],
        "usage": {
            "input_tokens": 3,
            "input_tokens_details": {"cached_tokens": 1},
            "output_tokens": 4,
        },
    }
    counts = {
        "input_tokens": 12,
        "output_tokens": 1,
        "cache_read_input_tokens": 300,
        "cache_creation_input_tokens": 40,
    }
    message = {"type": "message", "model": "c", "content": [], "usage": counts}
    delta = {"type": "text_delta", "text": text}
    ends = {"stop_reason": "end_turn"}
    gemini = {
        "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": 9,
            "candidatesTokenCount": 5,
            "thoughtsTokenCount": 2,
            "cachedContentTokenCount": 4,
        },
        "modelVersion": "g",
    }
    ollama = [
        {"model": "o", "message": {"content": text}, "done": False},
        {"model": "o", "done": True, "prompt_eval_count": 8, "eval_count": 6},
    ]
    metrics = {"inputTokenCount": 6, "outputTokenCount": 7, "cacheReadInputTokenCount": 2}
    return {
        "chat": (json.dumps(chat).encode(), False),
        "chat indented": (json.dumps(chat, indent=2).encode(), False),
        "chat strings": (json.dumps({"model": "m", "choices": [{"text": text}], "usage": {
            "prompt_tokens": "10", "completion_tokens": "3"}}).encode(), False),
        "chat floats": (json.dumps({"model": "m", "choices": [{"text": text}], "usage": {
            "prompt_tokens": 10.0, "completion_tokens": 3.0}}).encode(), False),
        "chat stream": (sse(_chunk(text), _chunk(reason="stop"), last) + _DONE, True),
        "chat stream usage null": (
            sse(_chunk(text, usage=None), _chunk(reason="stop", usage=None), last) + _DONE, True),
        "choices usage": (sse(_chunk(text), {"model": "k", "choices": [
            {"finish_reason": "stop", "delta": {}, "usage": _USAGE}]}), True),
        "x_groq": (
            sse(_chunk(text), _chunk(reason="stop", x_groq={"id": "x", "usage": _USAGE})), True),
        "deepseek": (json.dumps({"model": "d", "choices": [{"text": text}], "usage": {
            "prompt_tokens": 30, "completion_tokens": 2,
            "prompt_cache_hit_tokens": 20}}).encode(), False),
        "azure": (sse({"choices": [], "model": ""}, _chunk(text, reason="stop"), last), True),
        "responses": (json.dumps(final).encode(), False),
        "responses stream": (sse(
            {"type": "response.created", "response": response},
            {"type": "response.output_text.delta", "delta": "usage"},
            {"type": "response.completed", "response": final}, event=True), True),
        "anthropic": (json.dumps(
            {**message, "content": [{"text": text}], "stop_reason": "max_tokens"}).encode(), False),
        "anthropic stream": (sse(
            {"type": "message_start", "message": message},
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "message_delta", "delta": ends,
             "usage": {"input_tokens": 0, "output_tokens": 9}},
            {"type": "message_stop"}, event=True), True),
        "bedrock stream": (sse(
            {"type": "message_start", "message": {"model": "c"}},
            {"type": "content_block_delta", "delta": delta},
            {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}), True),
        "gemini": (json.dumps(gemini).encode(), False),
        "gemini stream": (sse({**gemini, "usageMetadata": {"promptTokenCount": 9}}, gemini), True),
        "gemini array": (json.dumps([gemini, gemini], indent=1).encode(), False),
        "cohere": (json.dumps({"message": {"content": [{"text": text}]}, "usage": {
            "billed_units": {"input_tokens": 1, "output_tokens": 2},
            "tokens": {"input_tokens": 71, "output_tokens": 2}}}).encode(), False),
        "ollama": ("".join(json.dumps(line) + "\n" for line in ollama).encode(), False),
        "ndjson without its last line end": (
            "\r\n".join(json.dumps(line) for line in ollama).encode(), False),
        "no usage": (sse(_chunk(text), _chunk(reason="stop")) + _DONE, True),
        "prompt only": (json.dumps(
            {"model": "e", "data": [{"text": text}], "usage": {"prompt_tokens": 5}}).encode(),
            False),
    }  # fmt: skip


CODINGS = {
    "": lambda data: data,
    "identity": lambda data: data,
    "gzip": gzip.compress,
    "X-GZip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
    "identity, zstd": zstandard.compress,
}

# -- the oracle ------------------------------------------------------------------------------------

PROMPT = ("prompt_tokens", "promptTokenCount", "input_tokens", "inputTokenCount",
          "prompt_eval_count")  # fmt: skip
ANSWER = ("completion_tokens", "output_tokens", "outputTokenCount", "candidatesTokenCount",
          "eval_count")  # fmt: skip
CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "cachedContentTokenCount",
          "cache_read_input_tokens", "cacheReadInputTokenCount")  # fmt: skip
WRITTEN = ("cache_creation_input_tokens",)


def oracle(body, *, events):
    """(prompt, answer, cached, written, model) of a whole, plain body."""
    found = list(_documents(body.decode("utf-8-sig"), events))
    counts = [place for document in found for place in _counts(document)]
    models = [model for document in found for model in _models(document)]
    answer, thoughts = _most(counts, ANSWER), _most(counts, ("thoughtsTokenCount",))
    if thoughts is not None:
        answer = (answer or 0) + thoughts
    return (
        _most(counts, PROMPT),
        answer,
        _most(counts, CACHED),
        _most(counts, WRITTEN),
        next((model for model in models if model), None),
    )


def _documents(text, events):
    if events:
        for event in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
            lines = [line for line in event.split("\n") if line.startswith("data:")]
            data = "\n".join(line.removeprefix("data:").removeprefix(" ") for line in lines)
            if data.startswith("{"):
                yield json.loads(data)
        return
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        yield from map(json.loads, text.splitlines())
        return
    yield from whole if isinstance(whole, list) else [whole]


def _wrapped(document):
    yield document
    for name in ("message", "response", "delta"):
        if isinstance(document.get(name), dict):
            yield document[name]


def _counts(document):
    places = [part.get(name) for part in _wrapped(document) for name in ("usage", "usageMetadata")]
    places += [choice.get("usage") for choice in document.get("choices", [])[:1]]
    places.append(document.get("amazon-bedrock-invocationMetrics"))
    places.append(document.get("x_groq", {}).get("usage"))
    places.append(document)
    for place in places:
        if isinstance(place, dict):
            yield place
            for name in ("tokens", "prompt_tokens_details", "input_tokens_details"):
                if isinstance(place.get(name), dict):
                    yield place[name]


def _models(document):
    for part in _wrapped(document):
        yield part.get("model") or part.get("modelVersion")


def _most(places, names):
    values = [place[name] for place in places for name in names if place.get(name) is not None]
    return max((int(value) for value in values), default=None)
