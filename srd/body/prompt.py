"""The conversation of one request, as values: messages, their texts, counts.

Why this file exists: the evidence is chosen among these; `reader` fills them while the bytes pass.
It must not know JSON, nor which text decides.

Every text stands by itself, with its place in the body. Where a message's texts are wanted as one,
they are joined by one space, as upstream does; messages without text are ignored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from srd.body.shapes import NON_USER_ROLES, SIGNED, TOOL_ROLES
from srd.body.text import BoundedText, Joined, TextList
from srd.evidence.conversation import MOST_MESSAGES, MOST_PARTS, MOST_TEXT, Spoken, Text
from srd.signals.base import Origin, Segment

_ROLES = 16  # distinct roles that are counted by name; the rest is "other"
_MESSAGES = 4096  # user messages that are kept on either side


@dataclass(frozen=True, slots=True)
class ModelSeen:
    """The first top-level `model`.

    `value`: its text without blanks at both ends; "" for null; None for anything else that is not a
    string, or is one of more than 8192 bytes. `offset`: where its value starts. `end`: right behind
    the value of a string or a null, `offset` + 1 for the others (a string that is too long: where
    that showed). `exact`: it is a string of just these characters, with nothing trimmed.
    `attached`: the bytes of attachments in front of it.
    """

    value: str | None
    offset: int
    end: int
    exact: bool
    attached: int = 0

    @property
    def counted(self) -> int:
        """`end` without the bytes of attachments."""
        return self.end - self.attached


class Said:
    """One text of a message. `start`: the offset of its first byte in the inflated body; `end`:
    that of the quote behind it, -1 while it passes."""

    __slots__ = ("end", "start", "text")

    def __init__(self, limit: int, start: int) -> None:
        self.text = BoundedText(limit)
        self.start = start
        self.end = -1

    def __repr__(self) -> str:
        return f"<Said {self.text.size} chars at {self.start}>"


class Message:
    """One message (or Responses item) while it passes and, of a user's, after. `place`: its index
    among the turns; -1 outside of them."""

    def __init__(self, role: str, place: int = -1) -> None:
        self.role = role
        self.place = place
        self.item = ""
        self.texts: list[Said] = []
        self.beside: list[Said] = []  # what else a backend may read of it; for guards only
        self.images = 0
        self.calls = 0
        self.results = 0
        self.bound = ""  # what in it only the model that made it can read

    def __repr__(self) -> str:
        return f"<Message {self.role or '?'} {sum(said.text.size for said in self.texts)} chars>"

    @property
    def spoken(self) -> list[Said]:
        """Its texts that are not empty."""
        return [said for said in self.texts if said.text.size]

    @property
    def size(self) -> int:
        """Characters in all its texts."""
        return sum(said.text.size for said in self.texts)

    @property
    def size_bytes(self) -> int:
        """UTF-8 bytes of its texts, one space between them."""
        sizes = [said.text.size_bytes for said in self.texts if said.text.size]
        return sum(sizes) + max(0, len(sizes) - 1)

    @property
    def text(self) -> str:
        """Its texts joined by one space."""
        return " ".join(said.text.value() for said in self.spoken)


@dataclass(frozen=True, slots=True)
class Bound:
    """State in an assistant's turn that only the model which made it can read: what it is, and how
    many turns stood in front of it."""

    kind: str
    place: int


def _ends(message: Message) -> list[Said]:
    """The texts of a message that are not empty; of very many the first and the last."""
    said = message.spoken
    half = MOST_PARTS // 2
    return said if len(said) <= MOST_PARTS else [*said[:half], *said[-half:]]


class UserMessages:
    """User messages within `limit` characters: the first ones and the most recent ones, as
    `TextList` keeps texts, and what went of the others where it `joins` them."""

    def __init__(self, limit: int, *, joins: bool = False) -> None:
        self._half = limit // 2
        self._joined = Joined() if joins else None
        self._first: list[Message] = []
        self._room = self._half
        self._recent: deque[Message] = deque()
        self._recent_size = 0
        self.dropped = 0

    def add(self, message: Message) -> None:
        """A user message with text has ended."""
        size = message.size
        fits = not self._recent and len(self._first) < _MESSAGES
        if fits and (size <= self._room or not self._first):
            self._first.append(message)
            self._room -= size
            return
        self._recent.append(message)
        self._recent_size += size
        while len(self._recent) > 1 and (
            self._recent_size > self._half or len(self._recent) > _MESSAGES
        ):
            oldest = self._recent.popleft()
            self._recent_size -= oldest.size
            self.dropped += 1
            if self._joined is not None:
                for said in oldest.spoken:
                    self._joined.add(said.text.value())

    def joined(self) -> tuple[str, ...]:
        """The texts of the others as one, where they were wanted."""
        return () if self._joined is None else self._joined.values()

    def values(self) -> list[Message]:
        """Those that are kept, in order."""
        return [*self._first, *self._recent]


class Prompt:
    """The conversation so far. Every text is bounded: of a longer one the head and the tail are
    kept (`truncated`). Tuples are built on access. `guarded`: a rule reads all texts, however many
    they are."""

    def __init__(self, limit: int, *, guarded: bool = False) -> None:
        self.limit = limit
        self.has_messages = False
        self.hidden = False  # a part of the prompt is in a form that only the backend reads
        self.truncated = False
        self.turns_end = -1  # counted bytes at which the turns had all passed; -1: not yet
        self.bound: Bound | None = None  # the first one
        self.passing: Message | None = None
        self._users = UserMessages(limit, joins=guarded)
        self._beside_history = TextList(limit, joins=guarded)  # upstream knows only messages' texts
        self._gathered = {
            origin: TextList(limit, joins=guarded)
            for origin in (Origin.OTHER, Origin.HISTORY, Origin.TOOLS, Origin.REPEATED)
        }

    def __repr__(self) -> str:
        state = "closed" if self.turns_end >= 0 else "open"
        return f"<Prompt {len(self.users)} user messages, turns {state}>"

    # -- as evidence

    @property
    def users(self) -> list[Message]:
        """The user messages with text that have ended."""
        return self._users.values()

    @property
    def in_turn(self) -> list[Message]:
        """`users`, and the one that passes if it is known to be one and says something."""
        passing = self.passing
        if passing is None or passing.role != "user" or not passing.size:
            return self.users
        return [*self.users, passing]

    def spoken(self) -> tuple[Spoken, ...]:
        """`in_turn` as values: the first one and the most recent, of each its first and last texts,
        of each text at most `MOST_TEXT` characters."""
        messages = self.in_turn
        if len(messages) > MOST_MESSAGES:
            messages = [messages[0], *messages[1 - MOST_MESSAGES :]]
        return tuple(
            Spoken(m.place, tuple(Text(s.text.ends(MOST_TEXT), s.start, s.end) for s in _ends(m)))
            for m in messages
        )

    @property
    def is_passing(self) -> bool:
        """True while the last text of `spoken` may go on, or its message may have more."""
        passing = self.passing
        return passing is not None and passing.role == "user" and passing.size > 0

    def said(self, origin: Origin) -> tuple[str, ...]:
        """The texts of anybody but users, as far as they are kept."""
        return self._gathered[origin].values()

    def segments(self) -> tuple[Segment, ...]:
        """Every text that was kept, by itself: users' first, the last message of theirs last."""
        *prior, last = self.users or [Message("user")]
        users = [Segment(Origin.PRIOR, s.text.value()) for m in prior for s in m.spoken]
        others = [
            Segment(origin, text)
            for origin, texts in self._gathered.items()
            for text in texts.values()
        ]
        others += [Segment(Origin.HISTORY, text) for text in self._beside_history.values()]
        joined = [Segment(Origin.PRIOR, text) for text in self._users.joined()]
        return (
            *users,
            *joined,
            *others,
            *(Segment(Origin.LAST, s.text.value()) for s in last.spoken),
        )

    # -- as messages

    @property
    def first_user(self) -> str:
        """The first user message's text so far."""
        first = next(iter(self.in_turn), None)
        return first.text if first else ""

    @property
    def first_user_done(self) -> bool:
        """True when that message has ended."""
        return bool(self.users)

    @property
    def last_user(self) -> str:
        """The text of the last finished user message."""
        users = self.users
        return users[-1].text if users else ""

    @property
    def prior_user(self) -> tuple[str, ...]:
        """Those of the ones before it."""
        return tuple(message.text for message in self.users[:-1])

    @property
    def non_user(self) -> tuple[str, ...]:
        """System, developer and assistant texts."""
        return self.said(Origin.HISTORY)

    @property
    def duplicates(self) -> tuple[str, ...]:
        """Texts in repeated members (a second `messages`, `content`, …), which never leave."""
        return self.said(Origin.REPEATED)

    # -- filling

    def add(self, origin: Origin, text: str) -> None:
        """A text of somebody else than a user."""
        if text:
            self._gathered[origin].add(text)

    def finish(self, message: Message) -> None:
        """A message has ended."""
        self.passing = None
        if message.bound and self.bound is None and message.role != "user":
            self.bound = Bound(message.bound, message.place)
        self._add_beside(message)
        if not message.size:
            return
        if message.role == "user":
            self._users.add(message)
            self._note(message.texts, self._users.dropped)
        elif message.role in NON_USER_ROLES:
            self._gather(Origin.HISTORY, message)
        elif message.role in TOOL_ROLES:
            self._gather(Origin.TOOLS, message)
        else:
            self._gather(Origin.OTHER, message)

    def _add_beside(self, message: Message) -> None:
        if message.role in NON_USER_ROLES or (not message.role and message.item in SIGNED):
            texts = self._beside_history
        else:
            tools = message.role in TOOL_ROLES
            texts = self._gathered[Origin.TOOLS if tools else Origin.OTHER]
        for said in message.beside:
            if said.text.size:
                texts.add(said.text.value())

    def _gather(self, origin: Origin, message: Message) -> None:
        texts = self._gathered[origin]
        joined = origin is Origin.HISTORY  # one text for each message, as upstream
        for text in [message.text] if joined else [s.text.value() for s in message.spoken]:
            texts.add(text)
        if origin is Origin.HISTORY:
            self._note(message.texts, texts.dropped)

    def _note(self, texts: Iterable[Said], dropped: int) -> None:
        cut = dropped > 0 or any(said.text.truncated for said in texts)
        self.truncated = self.truncated or cut


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
        said, results = message.size, message.results + (message.role in TOOL_ROLES)
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
            self.result_bytes += message.size_bytes
        else:
            self.text_bytes += message.size_bytes
