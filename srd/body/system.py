"""System prompts: into the first message, before it, or into the member that holds them.

Why this file exists: of all edits this one must look into a message whose role may come after its
content. It must not know which rewrite asked for it.
"""

from __future__ import annotations

from srd.body import lexis
from srd.body.edits import LIMIT, Context, Edits, Splice
from srd.body.listener import Want
from srd.body.members import Action, member
from srd.body.rewrite import SystemPrompt

_OBJECT, _ARRAY, _STRING = b'{["'


class System(Action):
    """The top-level member that holds the system text (Responses, Anthropic)."""

    def __init__(self, prompt: SystemPrompt) -> None:
        self._prompt = prompt

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        edits.missed_system_prompt = False
        if self._prompt.mode == "insert":
            if kind == _STRING:
                edits.insert(offset + 1, _inserted(self._prompt))
                return Want.SKIP
            if kind == _ARRAY:
                return edits.enter(_FirstPart(self._prompt, edits.decided))
        return edits.swallow(offset, lexis.encode_string(self._prompt.text))


class Messages(Action):
    """The chat's messages: the system text goes into, or before, the first one."""

    def __init__(self, prompt: SystemPrompt) -> None:
        self._prompt = prompt

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        return edits.enter(_Turns(self._prompt)) if kind == _ARRAY else Want.SKIP


class _Turns(Context):
    def __init__(self, prompt: SystemPrompt) -> None:
        self._prompt = prompt
        self._empty = True

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if not self._empty:
            return Want.SKIP
        self._empty = False
        if kind == _OBJECT:
            edits.hold = offset
            return edits.enter(_FirstMessage(self._prompt, offset))
        edits.insert(offset, _system_message(self._prompt) + b",")
        edits.missed_system_prompt = False
        return Want.SKIP

    def close(self, edits: Edits, offset: int) -> None:
        if self._empty:
            edits.insert(offset, _system_message(self._prompt))
            edits.missed_system_prompt = False


class _FirstMessage(Context):
    """messages[0]: its role tells whether it is edited or gets a message before it. Edits of a
    content that came before the role are kept as candidates. A second role changes nothing."""

    def __init__(self, prompt: SystemPrompt, start: int) -> None:
        self._prompt = prompt
        self._start = start
        self._name: bytes | None = None
        self._role = ""  # "", "system", "other", "late"
        self._reading_role = False
        self._content = False
        self._value = -1  # where a content starts that is replaced if the role is system
        self._candidates: list[Splice] = []

    def key(self, edits: Edits, name: bytes | None, start: int) -> None:
        self._name = name

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if self._name == b"role" and not self._role:
            if offset - self._start > LIMIT:
                self._late(edits)
            elif kind != _STRING:
                self._other(edits)
            else:
                self._reading_role = True
                return Want.TOKEN
        elif self._name == b"content" and self._role in ("", "system"):
            self._content = True
            return self._begin_content(edits, kind, offset)
        return Want.SKIP

    def _begin_content(self, edits: Edits, kind: int, offset: int) -> Want:
        sink = edits.decided if self._role else self._candidates
        if self._prompt.mode == "insert":
            if kind == _STRING:
                sink.append(Splice(offset + 1, offset + 1, _inserted(self._prompt)))
                return Want.SKIP
            if kind == _ARRAY:
                return edits.enter(_FirstPart(self._prompt, sink))
        if self._role:
            return edits.swallow(offset, lexis.encode_string(self._prompt.text))
        self._value = offset
        return Want.SKIP

    def token(self, edits: Edits, raw: bytes | None) -> None:
        if raw is None or lexis.decode_string(raw) != "system":
            self._other(edits)
            return
        self._role = "system"
        edits.decided += self._candidates
        edits.hold, edits.missed_system_prompt = None, False

    def end(self, edits: Edits, offset: int) -> None:
        if self._value >= 0:
            new = lexis.encode_string(self._prompt.text)
            self._candidates.append(Splice(self._value, offset, new))
            self._value = -1

    def close(self, edits: Edits, offset: int) -> None:
        if not self._role:
            if offset - self._start > LIMIT:
                self._late(edits)
            else:
                self._other(edits)
        elif self._role == "system" and not self._content:
            edits.insert(offset, b"," + member("content", lexis.encode_string(self._prompt.text)))

    def pressure(self, edits: Edits, at: int) -> None:
        if not self._role and not self._reading_role and at - self._start > LIMIT:
            self._late(edits)

    def _other(self, edits: Edits) -> None:
        self._role = "other"
        edits.insert(self._start, _system_message(self._prompt) + b",")
        edits.hold, edits.missed_system_prompt = None, False

    def _late(self, edits: Edits) -> None:
        self._role, edits.hold = "late", None
        edits.missed_system_prompt = True


class _FirstPart(Context):
    """A content array that gets one more text part, as its first. Upstream joins the texts of all
    parts to one string; that would cost the parts their other members, such as cache_control."""

    def __init__(self, prompt: SystemPrompt, sink: list[Splice]) -> None:
        self._text = prompt.text
        self._sink = sink
        self._empty = True

    def begin(self, edits: Edits, kind: int, offset: int) -> Want:
        if self._empty:
            self._sink.append(Splice(offset, offset, _text_part(self._text + "\n\n") + b","))
            self._empty = False
        return Want.SKIP

    def close(self, edits: Edits, offset: int) -> None:
        if self._empty:
            self._sink.append(Splice(offset, offset, _text_part(self._text)))


def _text_part(text: str) -> bytes:
    return b'{"type":"text",' + member("text", lexis.encode_string(text)) + b"}"


def _inserted(prompt: SystemPrompt) -> bytes:
    """What goes behind the opening quote of an old system text."""
    return lexis.encode_string(prompt.text + "\n\n")[1:-1]


def _system_message(prompt: SystemPrompt) -> bytes:
    return b'{"role":"system",' + member("content", lexis.encode_string(prompt.text)) + b"}"
