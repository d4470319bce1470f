"""What the JSON of an answer says of its tokens, its model and its end, in every provider's words.

Why this file exists: a dozen members are looked for in documents of any size and everything else is
passed over, so it is a listener of the scanner with a table of places. It must not know how the
documents are framed, packed or cut.

Known: OpenAI (chat, completions, Responses) and the servers that follow it, Groq's `x_groq`,
Moonshot's `choices[0].usage`, Anthropic, Bedrock, Gemini, Cohere, Ollama.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from srd.body import lexis
from srd.body.listener import Want

#: Beyond it a JSON number is not exact everywhere (RFC 8259, section 6), and no answer is so long.
MAX_TOKENS = (1 << 53) - 1
MAX_MODEL = 256
MAX_REASON = 64

_NUMBER = re.compile(r"[0-9]{1,32}(?:\.[0-9]{1,32})?(?:[eE][+-]?[0-9]{1,3})?")
_UNPAIRED = re.compile("[\ud800-\udfff]")
_QUOTE, _OBJECT, _ARRAY = b'"{['
#: How a Responses object ends (its own word is `status`).
_ENDINGS = frozenset({"completed", "incomplete", "failed", "cancelled"})


class Fact(enum.IntEnum):
    """What a member says."""

    MODEL = 0
    REASON = 1  # how it ended
    STATUS = 2  # how it ended, where the word is one of an end
    PROMPT = 3  # tokens of the prompt, cached ones among them
    INPUT = 4  # tokens of the prompt; cached ones are beside it where they come as READ or WRITTEN
    ANSWER = 5  # tokens of the answer
    THOUGHTS = 6  # tokens of the answer that ANSWER leaves out
    CACHED = 7  # tokens of the prompt that were in a cache
    STORED = 8  # tokens of the prompt that went into a cache
    READ = 9  # the same as CACHED, beside INPUT
    WRITTEN = 10  # the same as STORED, beside INPUT


_FIRST_COUNT = Fact.PROMPT


@dataclass(frozen=True, slots=True)
class _Place:
    """An object whose members are known, or (`first`) an array whose first element is."""

    members: Mapping[str, Fact | _Place] = field(default_factory=dict)
    first: _Place | None = None


_DETAILS = _Place(
    {
        "cached_tokens": Fact.CACHED,
        "cache_write_tokens": Fact.STORED,
        "cache_creation_tokens": Fact.STORED,
    }
)
_COUNTS: Mapping[str, Fact | _Place] = {
    "prompt_tokens": Fact.PROMPT,
    "promptTokenCount": Fact.PROMPT,
    "input_tokens": Fact.INPUT,
    "inputTokens": Fact.INPUT,
    "inputTokenCount": Fact.INPUT,
    "completion_tokens": Fact.ANSWER,
    "output_tokens": Fact.ANSWER,
    "outputTokens": Fact.ANSWER,
    "outputTokenCount": Fact.ANSWER,
    "candidatesTokenCount": Fact.ANSWER,
    "thoughtsTokenCount": Fact.THOUGHTS,
    "cached_tokens": Fact.CACHED,
    "prompt_cache_hit_tokens": Fact.CACHED,
    "cachedContentTokenCount": Fact.CACHED,
    "cache_read_input_tokens": Fact.READ,
    "cacheReadInputTokens": Fact.READ,
    "cacheReadInputTokenCount": Fact.READ,
    "cache_creation_input_tokens": Fact.WRITTEN,
    "cacheWriteInputTokens": Fact.WRITTEN,
    "cacheWriteInputTokenCount": Fact.WRITTEN,
    "prompt_tokens_details": _DETAILS,
    "input_tokens_details": _DETAILS,
}
_USAGE = _Place({**_COUNTS, "tokens": _Place(_COUNTS)})
_OF_AN_ANSWER: Mapping[str, Fact | _Place] = {
    "model": Fact.MODEL,
    "modelVersion": Fact.MODEL,
    "usage": _USAGE,
    "usageMetadata": _USAGE,
    "finish_reason": Fact.REASON,
    "finishReason": Fact.REASON,
    "stop_reason": Fact.REASON,
    "stopReason": Fact.REASON,
    "status": Fact.STATUS,
}
_WRAPPED = _Place(_OF_AN_ANSWER)  # the answer inside an event
_CHOICES = _Place(
    first=_Place(
        {"usage": _USAGE, "finish_reason": Fact.REASON, "finishReason": Fact.REASON},
    )
)
_DOCUMENT = _Place(
    {
        **_OF_AN_ANSWER,
        "message": _WRAPPED,
        "response": _WRAPPED,
        "delta": _WRAPPED,
        "choices": _CHOICES,
        "candidates": _CHOICES,
        "x_groq": _Place({"usage": _USAGE}),
        "amazon-bedrock-invocationMetrics": _USAGE,
        "prompt_eval_count": Fact.PROMPT,
        "eval_count": Fact.ANSWER,
    }
)

# Whether a small event can say anything at all, told without reading it. `null` and `""` say
# nothing, and many servers send them in every event. Keys are looked for as everybody writes them.
_NOTHING = rb'(?! *: *(?:null|""))'
_OF_USAGE = re.compile(rb'usage(?:Metadata)?"' + _NOTHING)
_OF_REASON = re.compile(rb'eason"' + _NOTHING)
_OF_STATUS = re.compile(rb'"status"(?! *: *"in_progress")')

#: Numbers stay text: an integer of 5,000 digits must cost nothing.
_DECODER = json.JSONDecoder(parse_int=str.encode, parse_float=str.encode, strict=False)


class Figures:
    """Listens to one scanner after the other (`restart` before each) and keeps what they said.

    Of each figure the largest counts: streams repeat them, and some begin or end with zeros. The
    model is the first named one, `finish_reason` the last. What was not said is None.
    """

    def __init__(self) -> None:
        self.model: str | None = None
        self.finish_reason: str | None = None
        self._counts: dict[Fact, int] = {}
        self._places: list[_Place] = []
        self._next: Fact | _Place | None = None
        self._fact = Fact.MODEL
        self._elements = 0

    def __repr__(self) -> str:
        return f"<Figures {self.model} {self.prompt_tokens}+{self.completion_tokens}>"

    # -- what was said

    @property
    def prompt_tokens(self) -> int | None:
        """The prompt's tokens, as the API of the answer counts them: Anthropic's and Bedrock's
        figure leaves out what is in `cached_tokens` and `cache_write_tokens`, others' does not."""
        return self._most(Fact.PROMPT, Fact.INPUT)

    @property
    def completion_tokens(self) -> int | None:
        """The answer's tokens, reasoning included."""
        answer, thoughts = self._counts.get(Fact.ANSWER), self._counts.get(Fact.THOUGHTS)
        return answer if thoughts is None else thoughts + (answer or 0)

    @property
    def cached_tokens(self) -> int | None:
        """The prompt's tokens that came from a cache."""
        return self._most(Fact.CACHED, Fact.READ)

    @property
    def cache_write_tokens(self) -> int | None:
        """The prompt's tokens that went into a cache."""
        return self._most(Fact.STORED, Fact.WRITTEN)

    @property
    def fresh_tokens(self) -> int | None:
        """The prompt's tokens that are in neither of the two, whatever the API calls its prompt."""
        prompt, counts = self.prompt_tokens, self._counts
        if prompt is None:
            return None
        if Fact.PROMPT not in counts and (Fact.READ in counts or Fact.WRITTEN in counts):
            return prompt
        return max(0, prompt - (self.cached_tokens or 0) - (self.cache_write_tokens or 0))

    def _most(self, *facts: Fact) -> int | None:
        return max((self._counts[fact] for fact in facts if fact in self._counts), default=None)

    def may_hear(self, data: bytes) -> bool:
        """False when a document (or many) certainly has nothing for us. Cheap."""
        return bool(
            (self.model is None and b'"model' in data)
            or (b"usage" in data and _OF_USAGE.search(data))
            or (b'eason"' in data and _OF_REASON.search(data))
            or (b'"status"' in data and _OF_STATUS.search(data))
            or b"invocationMetrics" in data
            or b"eval_count" in data
        )

    # -- a document that is all there

    def read(self, data: bytes) -> bool:
        """Take a small document whole: says the same as listening does, and is quicker. False when
        it is not one JSON object that the json module reads; then nothing was taken."""
        try:
            found = _DECODER.decode(data.decode())
        except (ValueError, RecursionError):
            return False
        if not isinstance(found, dict):
            return False
        self._walk(_DOCUMENT, found)
        return True

    def _walk(self, place: _Place, document: Mapping[str, object]) -> None:
        members = place.members
        for name, value in document.items():
            found = members.get(name)
            if found is None:
                continue
            if isinstance(found, Fact):
                self._take(found, value)
            elif found.first is None:
                if isinstance(value, dict):
                    self._walk(found, value)
            elif isinstance(value, list) and value and isinstance(value[0], dict):
                self._walk(found.first, value[0])

    def _take(self, fact: Fact, value: object) -> None:
        """One member: a text as str, a number as its bytes, anything else does not matter."""
        if fact >= _FIRST_COUNT:
            count = _count(value) if isinstance(value, str | bytes) else None
            if count is not None:
                self._counts[fact] = max(count, self._counts.get(fact, 0))
        elif not isinstance(value, str):
            return
        elif fact is Fact.MODEL:
            self.model = self.model or _text(value, MAX_MODEL)
        elif fact is Fact.REASON:
            self.finish_reason = _text(value, MAX_REASON) or self.finish_reason
        elif value in _ENDINGS:
            self.finish_reason = value

    # -- the listener

    def restart(self) -> None:
        """A new document begins."""
        self._places.clear()
        self._next = None

    def key(self, name: bytes | None, start: int) -> None:
        """See Listener."""
        self._next = self._places[-1].members.get(name.decode("latin-1")) if name else None

    def begin(self, kind: int, offset: int) -> Want:
        """See Listener."""
        if not self._places:
            return self._enter(_DOCUMENT)
        place, found = self._places[-1], self._next
        self._next = None
        if place.first is not None:
            self._elements += 1
            enter = self._elements == 1 and kind == _OBJECT
            return self._enter(place.first) if enter else Want.SKIP
        if isinstance(found, _Place):
            enter = kind == (_OBJECT if found.first is None else _ARRAY)
            return self._enter(found) if enter else Want.SKIP
        if found is None or kind in (_OBJECT, _ARRAY):
            return Want.SKIP
        self._fact = found
        return Want.TOKEN

    def _enter(self, place: _Place) -> Want:
        self._places.append(place)
        if place.first is not None:
            self._elements = 0
        return Want.ENTER

    def token(self, raw: bytes | None) -> None:
        """See Listener."""
        if raw and raw[0] == _QUOTE:
            self._take(self._fact, lexis.decode_string(raw))
        else:
            self._take(self._fact, raw)  # what is no number is no figure either

    def shortcut(self, data: bytes, at: int) -> int:
        """See Listener."""
        return 0

    def text(self, raw: bytes) -> None:
        """See Listener."""

    def end(self, offset: int) -> None:
        """See Listener."""

    def close(self, offset: int) -> None:
        """See Listener."""
        self._places.pop()

    def comma(self, offset: int) -> None:
        """See Listener."""


def _text(value: str, most: int) -> str | None:
    """At most `most` characters that can be written anywhere; None for an empty text."""
    return _UNPAIRED.sub("\ufffd", value[:most]) or None


def _count(value: str | bytes) -> int | None:
    """A number of tokens: 10, 10.0, 1e1 and "10" are; negative ones, fractions, what is over
    MAX_TOKENS, true and null are not. Never raises, linear."""
    if len(value) < 16 and value.isdigit() and value.isascii():
        return int(value)
    text = value.strip() if isinstance(value, str) else value.decode("latin-1")
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return int(number) if number <= MAX_TOKENS and number.is_integer() else None
