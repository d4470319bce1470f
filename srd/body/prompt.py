"""The conversation of one request, as values: messages, texts, counts.

Why this file exists: signals look at these; `reader` fills them while the bytes pass. It must not
know JSON.

Texts follow upstream: a message's text is its string content, or its text parts (type
text or none) joined by one space; messages without text are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

from srd.body.shapes import NON_USER_ROLES, TOOL_ROLES
from srd.body.text import BoundedText, TextList

_ROLES = 16  # distinct roles that are counted by name; the rest is "other"


@dataclass(frozen=True, slots=True)
class ModelSeen:
    """The first top-level `model`.

    `value`: its text without blanks at both ends; "" for null; None for anything else that is not a
    string, or is one of more than 8192 bytes. `offset`: where its value starts. `end`: right behind
    the value of a string or a null, `offset` + 1 for the others (a string that is too long: where
    that showed). `exact`: it is a string of just these characters, with nothing trimmed.
    """

    value: str | None
    offset: int
    end: int
    exact: bool


class Message:
    """One message (or Responses item) while it passes."""

    def __init__(self, role: str, limit: int) -> None:
        self.role = role
        self.item = ""
        self.text = BoundedText(limit)
        self.images = 0
        self.calls = 0
        self.results = 0

    def __repr__(self) -> str:
        return f"<Message {self.role or '?'} {self.text.size} chars>"


class Prompt:
    """The conversation's texts so far. Every text is bounded: of a longer one the head and the
    tail are kept (`truncated`). Tuples are built on access; `first_user` joins, so poll
    `first_user_chars` and `first_user_prefix` while bytes arrive."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.has_messages = False
        self.truncated = False
        self.first_user_done = False
        self._first: BoundedText | None = None
        self._last_user = ""
        self._has_last = False
        self._prior = TextList(limit)
        self._non_user = TextList(limit)
        self._duplicates = TextList(limit)

    def __repr__(self) -> str:
        state = "done" if self.first_user_done else "open"
        before = len(self._prior.values())
        return f"<Prompt first user {self.first_user_chars} chars {state}, {before} kept before>"

    @property
    def first_user_chars(self) -> int:
        """Characters of the first user message with text, so far."""
        return self._first.size if self._first else 0

    def first_user_prefix(self, length: int) -> str:
        """Its first `length` characters; cheap for `length` up to 4096."""
        return self._first.prefix(length) if self._first else ""

    @property
    def first_user(self) -> str:
        """Its text so far."""
        return self._first.value() if self._first else ""

    @property
    def last_user(self) -> str:
        """The text of the last finished user message with text."""
        return self._last_user

    @property
    def prior_user(self) -> tuple[str, ...]:
        """The user messages with text before the last one."""
        return self._prior.values()

    @property
    def non_user(self) -> tuple[str, ...]:
        """System, developer and assistant texts."""
        return self._non_user.values()

    @property
    def duplicates(self) -> tuple[str, ...]:
        """Texts in repeated members (a second `messages`, `content`, …), which never leave."""
        return self._duplicates.values()

    def add_duplicate(self, text: str) -> None:
        """A text of a repeated member."""
        if text:
            self._duplicates.add(text)

    def show(self, message: Message) -> None:
        """`message` is a user message that passes; it is the first one if none is yet."""
        if not self.first_user_done:
            self._first = message.text

    def hide(self) -> None:
        """The message shown turned out to be of another role."""
        if not self.first_user_done:
            self._first = None

    def finish(self, message: Message) -> None:
        """A message has ended."""
        text = message.text
        if not text.size:
            return self.hide()
        if message.role not in NON_USER_ROLES and message.role != "user":
            return None
        if text.truncated:
            self.truncated = True
        value = text.value()
        if message.role != "user":
            self._non_user.add(value)
            self.truncated = self.truncated or self._non_user.dropped > 0
            return None
        self.show(message)
        self.first_user_done = True
        if self._has_last:
            self._prior.add(self._last_user)
            self.truncated = self.truncated or self._prior.dropped > 0
        self._last_user, self._has_last = value, True
        return None


class Counts:
    """The numbers behind MessageFacts, of finished messages."""

    def __init__(self) -> None:
        self.messages = 0
        self.last_role = ""
        self.tool_loop = False
        self._had_result = False  # the last message
        self.by_role: dict[str, int] = {}
        self.images = 0
        self.calls = 0
        self.results = 0
        self.assistant_text = False
        self.text_bytes = 0
        self.structured_bytes = 0
        self.result_bytes = 0

    def add(self, message: Message) -> None:
        """A message has ended."""
        said, results = message.text.size, message.results + (message.role in TOOL_ROLES)
        role = message.role
        if role == "user" and results and not said:
            role = "tool"  # Anthropic's way to return results
        self.tool_loop = bool(results or message.calls) or (role == "user" and self._had_result)
        if role not in self.by_role and len(self.by_role) >= _ROLES:
            role = "other"
        self.messages += 1
        if role:
            self.by_role[role] = self.by_role.get(role, 0) + 1
        self.last_role, self._had_result = role, results > 0
        self.images += message.images
        self.calls += message.calls
        self.results += results
        self.assistant_text |= role == "assistant" and said > 0
        if message.role in TOOL_ROLES:
            self.result_bytes += message.text.size_bytes
        else:
            self.text_bytes += message.text.size_bytes
