"""What a response says of itself: tokens, model, how it ended. Streamed or in one piece.

Why this file exists: usage is at the end of an answer that is passed on chunk by chunk, and frames
do not respect chunks. It reads a copy; it must never delay, change or hold the answer.

A frame or a body over the bound is skipped, not held; then there is no usage and `skipped` tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

#: Longest line of a stream, and longest body in one piece, that is looked at.
MAX_FRAME = 65536
MAX_BODY = 1 << 20

_NEWS = (b'usage"', b'_reason"', b'"status"', b"message_stop")
_BOM = b"\xef\xbb\xbf"


class SseReader:
    """Server-sent events, piece by piece, as the HTML standard defines the stream: lines end with
    LF, CR or CRLF, data lines of one event are joined by LF, a blank line ends the event."""

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self.skipped = 0
        self._max = max_frame
        self._line = bytearray()
        self._long = False  # the line at hand is over the bound
        self._after_cr = False
        self._data: list[bytes] = []
        self._size = 0
        self._oversized = False  # the event at hand is
        self._first = True

    def __repr__(self) -> str:
        return f"<SseReader held={len(self._line) + self._size} skipped={self.skipped}>"

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The data of each event that this piece completes."""
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == 0x0A:
                data = data[1:]
        if not data:
            return
        self._after_cr = data[-1] == 0x0D
        lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest = lines.pop()
        for line in lines:
            self._take(line)
            event = self._end_line()
            if event is not None:
                yield event
        self._take(rest)

    def _take(self, part: bytes) -> None:
        if self._long or len(self._line) + len(part) > self._max:
            self._long = True
            self._line.clear()
        else:
            self._line += part

    def _end_line(self) -> bytes | None:
        line = bytes(self._line)
        self._line.clear()
        if self._first:
            self._first = False
            line = line.removeprefix(_BOM)
        if self._long:
            self._long, self._oversized = False, True
        elif not line:
            return self._end_event()
        elif line.startswith(b"data"):
            self._add(line[4:])
        return None

    def _add(self, field: bytes) -> None:
        if field and field[0] != 0x3A:  # a longer name, such as "database:"
            return
        value = field[2:] if field[1:2] == b" " else field[1:]
        self._size += len(value) + 1
        if self._size > self._max:
            self._oversized = True
            self._data.clear()
        elif not self._oversized:
            self._data.append(value)

    def _end_event(self) -> bytes | None:
        event = b"\n".join(self._data) if self._data else None
        if self._oversized:
            self.skipped += 1
            event = None
        self._data.clear()
        self._size, self._oversized = 0, False
        return event


class UsageReader:
    """Reads one response of any of the APIs. Never raises; holds at most one frame, or the body.

    Of a stream the last figures win: Anthropic counts input first and output at the end. `done`:
    the stream said so. `finish_reason`: the first choice's, or the API's own word for it.
    """

    def __init__(self, *, streamed: bool) -> None:
        self.model: str | None = None
        self.prompt_tokens: int | None = None
        self.completion_tokens: int | None = None
        self.cached_tokens: int | None = None
        self.finish_reason: str | None = None
        self.done = False
        self.skipped = 0
        self._frames = SseReader() if streamed else None
        self._body = bytearray()

    def __repr__(self) -> str:
        return f"<UsageReader {self.model} {self.prompt_tokens}+{self.completion_tokens}>"

    def feed(self, data: bytes) -> None:
        """Look at the next piece of the response."""
        if self._frames is not None:
            for event in self._frames.feed(data):
                self._event(event)
            self.skipped = self._frames.skipped
        elif not self.skipped:
            if len(self._body) + len(data) > MAX_BODY:
                self.skipped = 1
                self._body.clear()
            else:
                self._body += data

    def finish(self) -> None:
        """The response has ended."""
        if self._frames is None and self._body:
            self._document(bytes(self._body))
            self._body.clear()
        elif self._frames is not None:
            self.feed(b"\n\n")  # some servers leave out the last blank line

    def _event(self, data: bytes) -> None:
        if data.strip() == b"[DONE]":
            self.done = True
        # Most frames are a few characters of text; only those with news are parsed.
        elif self.model is None or any(mark in data for mark in _NEWS):
            self._document(data)

    def _document(self, data: bytes) -> None:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            return
        if isinstance(found, dict):
            self._read(found)

    def _read(self, found: Mapping[str, object]) -> None:
        # Anthropic and Responses streams wrap the answer in an event.
        for part in (found, found.get("message"), found.get("response"), found.get("delta")):
            if not isinstance(part, dict):
                continue
            if isinstance(part.get("model"), str):
                self.model = part["model"]
            if isinstance(part.get("usage"), dict):
                self._usage(part["usage"])
            reason = part.get("finish_reason") or part.get("stop_reason")
            if part.get("object") == "response" and part.get("status") != "in_progress":
                reason = reason or part.get("status")
            if isinstance(reason, str):
                self.finish_reason = reason
        choices = found.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            reason = choices[0].get("finish_reason")
            if isinstance(reason, str):
                self.finish_reason = reason
        if found.get("type") in ("message_stop", "response.completed"):
            self.done = True

    def _usage(self, usage: Mapping[str, object]) -> None:
        self.prompt_tokens = _count(usage, "prompt_tokens", "input_tokens", self.prompt_tokens)
        self.completion_tokens = _count(
            usage, "completion_tokens", "output_tokens", self.completion_tokens
        )
        details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
        if isinstance(details, dict):
            self.cached_tokens = _count(details, "cached_tokens", "", self.cached_tokens)
        self.cached_tokens = _count(usage, "cache_read_input_tokens", "", self.cached_tokens)


def _count(found: Mapping[str, object], name: str, other: str, old: int | None) -> int | None:
    for key in (name, other):
        value = found.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return old
