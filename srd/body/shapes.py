"""Where each API keeps its model, its messages and its system text.

Why this file exists: four request shapes differ in a handful of names; they stand here as data, so
that the reader and the editor are written once. It must not know how a body is read or edited.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from srd.body import lexis


class Api(enum.Enum):
    """The shape of a body; the request's path tells it."""

    CHAT = "chat"  # POST /v1/chat/completions
    COMPLETIONS = "completions"  # POST /v1/completions
    RESPONSES = "responses"  # POST /v1/responses
    ANTHROPIC = "anthropic"  # POST /v1/messages


@dataclass(frozen=True, slots=True)
class Shape:
    """The names of one API.

    `turns`: the top-level member that holds the conversation, a string (one user message) or an
    array. `plain_turns`: a string in that array is a user message. `system`: the top-level member
    that holds a system text, None where it is the first message (chat) or does not exist.
    `instead`: members of which one makes a body legal that has no turns (OpenAI's reference of
    Responses; vLLM's completions take embeddings).

    `asides`: members that are filled into the prompt beside the turns (vLLM's chat: `documents`,
    `chat_template` and what it is given; a stored prompt's variables).

    `items`: an element of `turns` may be a content part itself, and needs no role to be a user's.

    `names_only`: nothing in it is judged but the names of models: those at its top level and, where
    `names_below` leads from there (None is an element of an array), further ones. Nothing in it is
    edited but repeated models.
    """

    turns: bytes
    plain_turns: bool = False
    system: bytes | None = None
    system_message: bool = False
    instead: frozenset[bytes] = frozenset()
    asides: frozenset[bytes] = frozenset()
    items: bool = False
    names_only: bool = False
    names_below: tuple[bytes | None, ...] = ()


SHAPES: Mapping[Api, Shape] = MappingProxyType(
    {
        Api.CHAT: Shape(
            b"messages",
            system_message=True,
            asides=frozenset({b"documents", b"chat_template", b"chat_template_kwargs"}),
        ),
        Api.COMPLETIONS: Shape(
            b"prompt",
            plain_turns=True,
            instead=frozenset({b"prompt_embeds"}),
            asides=frozenset({b"suffix"}),
        ),
        Api.RESPONSES: Shape(
            b"input",
            system=b"instructions",
            items=True,
            asides=frozenset({b"prompt"}),
            instead=frozenset({b"prompt", b"conversation", b"previous_response_id"}),
        ),
        Api.ANTHROPIC: Shape(b"messages", system=b"system"),
    }
)

#: A body on a path that is never routed, and one that holds many requests (Anthropic's reference
#: of POST /v1/messages/batches).
NAMED = Shape(b"", names_only=True)
BATCH = Shape(b"", names_only=True, names_below=(b"requests", None, b"params", b"model"))

#: Names that count once. Parsers disagree on which of two equal keys they take, so the first one is
#: evidence and every later one is dropped from what leaves: in the body itself (in every API), in
#: an element of the conversation, and in a content part, also one inside a tool's result.
ONCE = frozenset({b"messages", b"input", b"prompt", b"system", b"instructions"})
ONCE_IN_TURN = frozenset({b"content", b"role", b"type", b"text"})
ONCE_IN_PART = frozenset({b"content", b"type", b"text"})
#: The member of a turn that holds its parts, and of a part that holds further ones; and how many
#: such arrays lie inside each other: a message's parts, and those of a tool's result.
PARTS = b"content"
PARTS_DEPTH = 2

#: Content parts, in all shapes: text, pictures, an assistant's call of a tool, a tool's answer.
TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
IMAGE_PARTS = frozenset({"image_url", "input_image", "image"})
#: Members of a message and of a part that some backend reads as the speaker's words, beside its
#: content (vLLM's parts of type `refusal` and `thinking`; Anthropic's documents and search results;
#: servers that render whatever stands in a part): guards read them, routing does not.
SPOKEN_ASIDE = frozenset(
    {
        b"text", b"refusal", b"thinking", b"reasoning", b"reasoning_content", b"title", b"context",
        b"source", b"summary", b"parts",
    }
)  # fmt: skip
#: Members of an item of Responses that a tool said, or somebody to a tool.
TOLD_TO_TOOLS = frozenset({b"input", b"tools", b"code", b"outputs", b"results", b"action"})
#: Sources of a document that hold or name a file; another one is its text (Anthropic's reference of
#: document parts).
OPAQUE_SOURCES = frozenset({"base64", "url", "file", "image"})
CALL_PARTS = frozenset({"tool_use", "server_tool_use", "function_call", "custom_tool_call"})
RESULT_PARTS = frozenset({"tool_result", "function_call_output", "custom_tool_call_output"})

#: Items of Responses that are a user's where they name no role; "" is an item without a type.
TURN_ITEMS = frozenset({"", "message", "text", "input_text"})

#: Where pictures, sounds and files stand in a part: the members that hold their bytes, and the
#: objects around those.
ATTACHED = frozenset({b"data", b"url", b"image_url", b"file_data", b"file_url", b"b64_json"})
HOLDERS = frozenset(
    {
        b"image_url",
        b"source",
        b"input_audio",
        b"file",
        b"image",
        b"audio",
        b"video_url",
        b"audio_url",
    }
)

#: What only the model that made it can read: parts of these types, and whatever holds a member of
#: these names (Anthropic's extended thinking, OpenAI's reasoning items, Gemini's thought
#: signatures).
SEALED_PARTS = frozenset({"redacted_thinking"})
SIGNATURES = frozenset({b"signature", b"encrypted_content", b"thought_signature"})
#: Parts and items that are nothing but what is signed in them, and go with it.
SIGNED = frozenset({"thinking", "reasoning", "compaction"})
#: A message's tool calls, and what of a call is the tool's and never a signature.
CALLS = b"tool_calls"
ARGUMENTS = frozenset({b"arguments", b"input", b"parameters"})


def may_be_signed(data: bytes, start: int, end: int) -> bool:
    """False only where no name in data[start:end] is one of SIGNATURES, however it is spelled."""
    if any(data.find(name, start, end) >= 0 for name in (b"signature", b"encrypted_content")):
        return True
    escape = data.find(b"\\u00", start, end)
    return escape >= 0 and lexis.ESCAPED_LETTER.search(data, escape, end) is not None


SYSTEM_ROLES = frozenset({"system", "developer"})
NON_USER_ROLES = SYSTEM_ROLES | {"assistant"}
TOOL_ROLES = frozenset({"tool", "function"})

#: Parameters that are always kept; of other top-level scalars the first few.
KNOWN_PARAMS = frozenset(
    {
        "stream", "max_tokens", "max_completion_tokens", "max_output_tokens", "n", "temperature",
        "top_p", "top_k", "seed", "user", "reasoning_effort", "tool_choice", "parallel_tool_calls",
        "logprobs", "top_logprobs", "frequency_penalty", "presence_penalty", "stop",
        "previous_response_id", "store", "service_tier",
    }
)  # fmt: skip
