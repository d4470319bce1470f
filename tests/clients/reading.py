"""The user messages of a body, by a parser that is not srd's.

Why this file exists: tests of the evidence rule need the texts, and must not get them from the
code that they test.
"""

from __future__ import annotations

import json
from typing import Any

from clients.shapes import Sent


def user_messages(sent: Sent) -> list[list[str]]:
    """The texts of each message or item of the user's, in order, without results of tools."""
    body = json.loads(sent.plain)
    turns = body["input"] if "input" in body else body["messages"]
    if isinstance(turns, str):
        return [[turns]]
    return [_texts(turn) for turn in turns if turn.get("role", "") == "user"]


def _texts(turn: dict[str, Any]) -> list[str]:
    content = turn["content"]
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content if part["type"] in {"text", "input_text"}]
