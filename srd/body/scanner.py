"""A push scanner for one JSON document: resumable at any byte, never recursive, constant memory.

Why this file exists: everything that reads or edits a request body needs to know where its members
start and end while the bytes are still arriving. The scanner knows the grammar and the offsets; it
must not know what a prompt, a model or an edit is. It keeps no body bytes beyond one small token.

Rule 1: what a listener hears, and where an error is reported, never depends on how the document was
cut into chunks. Rule 2: each byte is looked at a bounded number of times. The quick patterns of
`lexis` are shortcuts of the slow steps here and must agree with them.

A strict scanner is a validator that agrees with the json module, NaN and Infinity included, except
that invalid UTF-8 and unpaired surrogates pass, and below 1024 levels only brackets and strings are
checked. A loose scanner checks the grammar only where its listener has entered.
"""

from __future__ import annotations

import enum

from srd.body import lexis, loose
from srd.body.listener import Listener, Want
from srd.body.number import COMPLETE, Number, next_state
from srd.body.strings import Finder, Invalid, LooseFinder, StrictFinder

#: Kinds of open brackets are recorded down to this level; deeper ones are only counted.
RECORDED_LEVELS = 1024
#: A key that is longer (raw bytes) is reported as None: no consumer knows such a name.
KEY_LIMIT = 256
#: A TOKEN that is longer is reported as None, as soon as it is.
TOKEN_LIMIT = 8192

_QUOTE, _COMMA, _COLON = b'",:'
_OBJECT, _OBJECT_END, _ARRAY, _ARRAY_END = b"{}[]"
_MINUS, _N, _I = b"-NI"
_SPACES = frozenset(b" \t\r\n")
_INFINITY = b"Infinity"
_LITERALS = {0x74: b"true", 0x66: b"false", 0x6E: b"null", _N: b"NaN", _I: _INFINITY}
_BOM = b"\xef\xbb\xbf"


class BodyError(Exception):
    """The client's: the body is not one JSON object. The answer is a 400 that names the offset."""

    def __init__(self, offset: int, problem: str) -> None:
        super().__init__(f"{problem} at byte {offset}")
        self.offset = offset
        self.problem = problem


class _Kind(enum.Enum):
    """What the first byte of a value tells."""

    QUOTE = "string"
    OPEN = "container"
    NUMBER = "number"
    LITERAL = "literal"
    SPACE = "space"
    END = "end of an array"


_KINDS = {
    _QUOTE: _Kind.QUOTE,
    _ARRAY_END: _Kind.END,
    **dict.fromkeys(b"{[", _Kind.OPEN),
    **dict.fromkeys(b"-0123456789", _Kind.NUMBER),
    **dict.fromkeys(b"tfnNI", _Kind.LITERAL),
    **dict.fromkeys(b" \t\r\n", _Kind.SPACE),
}


class _State(enum.IntEnum):
    START = 0  # byte order mark or space before the document
    FIRST_VALUE = 1  # after [: a value or ]
    VALUE = 2
    FIRST_KEY = 3  # after {: a key or }
    KEY = 4
    COLON = 5
    AFTER = 6  # after a value: a comma or the closing bracket
    STRING = 7
    KEY_STRING = 8
    NUMBER = 9
    LITERAL = 10
    DEEP = 11  # strict, below the recorded levels
    LOOSE = 12  # not strict, inside a skipped container
    DONE = 13


class Scanner:
    """Feed it the document in any pieces, then `finish`. After a BodyError it must not be fed.

    `offset` is the number of bytes scanned before the current piece.
    """

    def __init__(self, listener: Listener, *, strict: bool) -> None:
        self.offset = 0
        self.steps = 0  # slow steps taken: what the linearity tests count
        self._listener = listener
        self._strict = strict
        self._state = _State.START
        self._prefix = 0  # bytes of the byte order mark seen
        self._stack = bytearray()  # opening brackets, at most RECORDED_LEVELS
        self._deep = 0  # open brackets in DEEP and LOOSE
        self._quiet = 0  # stack height at which a skipped container began; 0: none
        self._want = Want.SKIP
        self._token: bytearray | None = None
        self._strings: Finder = StrictFinder() if strict else LooseFinder()
        self._number = Number.SIGN
        self._literal = b""
        self._matched = 0
        self._key = bytearray()
        self._key_start = 0
        self._key_told = False

    def __repr__(self) -> str:
        depth = len(self._stack) + self._deep
        mode = "strict" if self._strict else "loose"
        return f"<Scanner {mode} {self._state.name} at={self.offset} depth={depth}>"

    @property
    def done(self) -> bool:
        """True after the closing brace; only white space may follow."""
        return self._state is _State.DONE

    def feed(self, data: bytes) -> None:
        """Scan the next piece. Raises BodyError; the listener has then heard all before it."""
        at, size = 0, len(data)
        try:
            while at < size:
                if self._quiet:
                    at = self._run_quietly(data, at)
                    if at == size:
                        break
                self.steps += 1
                at = _STEPS[self._state](self, data, at)
        except Invalid as error:
            raise BodyError(self.offset + error.at, error.problem) from None
        self.offset += size

    def finish(self) -> None:
        """The document ended here. Raises BodyError when it is not complete."""
        if self._state is not _State.DONE:
            empty = self._state is _State.START
            raise BodyError(self.offset, "no JSON object" if empty else "the JSON text ends early")

    # -- before and after the document

    def _step_start(self, data: bytes, at: int) -> int:
        byte = data[at]
        if self._prefix < 3:
            if byte == _BOM[self._prefix] and self.offset + at == self._prefix:
                self._prefix += 1
                return at + 1
            if self._prefix:
                raise Invalid(at, "a broken byte order mark")
            self._prefix = 3
        if byte in _SPACES:
            return self._skip_space(data, at)
        if byte != _OBJECT:
            raise Invalid(at, "not a JSON object")
        self._listener.begin(byte, self.offset + at)
        self._stack.append(byte)
        self._state = _State.FIRST_KEY
        return at + 1

    def _step_done(self, data: bytes, at: int) -> int:
        if data[at] not in _SPACES:
            raise Invalid(at, "data after the JSON object")
        return self._skip_space(data, at)

    @staticmethod
    def _skip_space(data: bytes, at: int) -> int:
        match = lexis.WHITESPACE.match(data, at)
        return match.end() if match else at

    # -- containers

    def _step_value(self, data: bytes, at: int) -> int:
        byte = data[at]
        kind = _KINDS.get(byte)
        if kind is _Kind.SPACE:
            return self._skip_space(data, at)
        if kind is None or (kind is _Kind.END and self._state is not _State.FIRST_VALUE):
            raise Invalid(at, "expected a value")
        if kind is _Kind.END:
            return self._close(at)
        if self._quiet:
            self._want = Want.SKIP
        else:
            if byte == _OBJECT:
                end = self._listener.shortcut(data, at)
                if end:
                    self._state = _State.AFTER
                    return end
            want = self._want = self._listener.begin(byte, self.offset + at)
            # A string that nobody validates or reads is searched, which is quicker.
            if kind is not _Kind.OPEN and (self._strict or want or kind is not _Kind.QUOTE):
                match = lexis.SCALAR.match(data, at)
                if match:
                    return self._take_whole(match.group(), match.end(), want)
            self._token = bytearray() if want is Want.TOKEN else None
        if kind is _Kind.OPEN:
            return self._open(data, at)
        return self._begin_scalar(data, at, kind)

    def _begin_scalar(self, data: bytes, at: int, kind: _Kind) -> int:
        if kind is _Kind.QUOTE:
            self._state = _State.STRING
            return self._take(data, at, at + 1)
        if kind is _Kind.NUMBER:
            self._state = _State.NUMBER
            self._number = Number.SIGN
            return at if data[at] != _MINUS else self._take(data, at, at + 1)
        self._state = _State.LITERAL
        self._literal, self._matched = _LITERALS[data[at]], 0
        return at

    def _take_whole(self, raw: bytes, end: int, want: Want) -> int:
        """A small scalar that is all there."""
        if want is Want.TOKEN:
            self._listener.token(raw)
        elif want is Want.TEXT and len(raw) > 2:
            self._listener.text(raw[1:-1])
        self._state = _State.AFTER
        self._listener.end(self.offset + end)
        return end

    def _open(self, data: bytes, at: int) -> int:
        byte = data[at]
        if self._want is not Want.ENTER and not self._quiet:
            self._want = Want.SKIP
            if not self._strict:
                self._deep = 1
                self._state = _State.LOOSE
                return at + 1
            whole = lexis.VALUE.match(data, at)
            if whole:
                return self._end_value(whole.end())
            self._quiet = len(self._stack) + 1
        if len(self._stack) == RECORDED_LEVELS:
            self._deep = 1
            self._state = _State.DEEP
            return at + 1
        self._stack.append(byte)
        self._state = _State.FIRST_KEY if byte == _OBJECT else _State.FIRST_VALUE
        return at + 1

    def _close(self, at: int) -> int:
        self._stack.pop()
        height = len(self._stack)
        self._state = _State.AFTER if height else _State.DONE
        if not self._quiet:
            self._listener.close(self.offset + at)
        elif height < self._quiet:
            self._quiet = 0
            self._listener.end(self.offset + at + 1)
        return at + 1

    def _step_after(self, data: bytes, at: int) -> int:
        inside = self._stack[-1]
        byte = data[at]
        if byte in _SPACES:
            return self._skip_space(data, at)
        if byte == _COMMA:
            if not self._quiet:
                self._listener.comma(self.offset + at)
            at = self._skip_space(data, at + 1)
            if inside == _ARRAY:
                self._state = _State.VALUE
                return at
            self._state = _State.KEY
            return at if at == len(data) else self._step_key(data, at)
        if byte == (_OBJECT_END if inside == _OBJECT else _ARRAY_END):
            return self._close(at)
        raise Invalid(at, f"expected a comma or {'}' if inside == _OBJECT else ']'}")

    # -- keys

    def _step_key(self, data: bytes, at: int) -> int:
        byte = data[at]
        if byte == _QUOTE:
            match = lexis.KEY.match(data, at)
            if match:
                self._state = _State.VALUE
                if not self._quiet:
                    self._listener.key(match.group(1), self.offset + at)
                return match.end()
            self._state = _State.KEY_STRING
            self._key.clear()
            self._key_start = self.offset + at
            self._key_told = False
            return at + 1
        if byte in _SPACES:
            return self._skip_space(data, at)
        if byte == _OBJECT_END and self._state is _State.FIRST_KEY:
            return self._close(at)
        raise Invalid(at, "expected a key")

    def _step_key_string(self, data: bytes, at: int) -> int:
        quote = self._strings.find(data, at)
        if not self._quiet and not self._key_told:
            room = KEY_LIMIT + 1 - len(self._key)
            self._key += data[at : min(at + room, len(data) if quote < 0 else quote)]
            if len(self._key) > KEY_LIMIT:
                self._key_told = True
                self._listener.key(None, self._key_start)
        if quote < 0:
            return len(data)
        self._state = _State.COLON
        if not self._quiet and not self._key_told:
            self._listener.key(_unescape_key(bytes(self._key)), self._key_start)
        return quote + 1

    def _step_colon(self, data: bytes, at: int) -> int:
        byte = data[at]
        if byte in _SPACES:
            return self._skip_space(data, at)
        if byte != _COLON:
            raise Invalid(at, "expected a colon")
        self._state = _State.VALUE
        return at + 1

    # -- scalars

    def _take(self, data: bytes, start: int, end: int) -> int:
        """Add bytes to the token, if one is wanted; returns `end`."""
        if self._token is not None:
            room = TOKEN_LIMIT + 1 - len(self._token)
            self._token += data[start : min(end, start + room)]
            if len(self._token) > TOKEN_LIMIT:
                self._token = None
                self._listener.token(None)
        return end

    def _end_value(self, at: int) -> int:
        self._state = _State.AFTER
        if not self._quiet:
            if self._token is not None:
                raw, self._token = bytes(self._token), None
                self._listener.token(raw)
            self._listener.end(self.offset + at)
        return at

    def _step_string(self, data: bytes, at: int) -> int:
        try:
            quote = self._strings.find(data, at)
        except Invalid as error:  # rule 1: what came before it would have been told in two pieces
            if self._want is Want.TEXT and error.at > at:
                self._listener.text(data[at : error.at])
            raise
        stop = len(data) if quote < 0 else quote
        if not self._quiet:
            if self._want is Want.TEXT:
                if stop > at:
                    self._listener.text(data[at:stop])
            else:
                self._take(data, at, stop if quote < 0 else quote + 1)
        if quote < 0:
            return stop
        if self._deep:
            self._state = _State.DEEP if self._strict else _State.LOOSE
            return quote + 1
        return self._end_value(quote + 1)

    def _step_number(self, data: bytes, at: int) -> int:
        if self._number is Number.SIGN and data[at] == _I:  # behind a minus: a digit starts without
            self._state, self._literal, self._matched = _State.LITERAL, _INFINITY, 0
            return at
        start, size = at, len(data)
        while at < size:
            state = next_state(self._number, data[at])
            if state is None:
                break
            at += 1
            if state is self._number:  # in a run of digits, which may be long
                match = lexis.DIGITS.match(data, at)
                at = match.end() if match else at
            self._number = state
        self._take(data, start, at)
        if at == size:
            return at
        if self._number not in COMPLETE:
            raise Invalid(at, "a broken number")
        return self._end_value(at)

    def _step_literal(self, data: bytes, at: int) -> int:
        start = at
        while at < len(data) and self._matched < len(self._literal):
            if data[at] != self._literal[self._matched]:
                raise Invalid(at, "expected a value")
            self._matched += 1
            at += 1
        self._take(data, start, at)
        return self._end_value(at) if self._matched == len(self._literal) else at

    # -- skipping what nobody looks at

    def _run_quietly(self, data: bytes, at: int) -> int:
        """In a skipped container, strict: take whole values and open and close brackets as long as
        the patterns can. Where they stop, the feed takes one slow step."""
        stack, size, state = self._stack, len(data), self._state
        while at < size:
            self.steps += 1
            if state is _State.AFTER:
                inside = stack[-1]
                match = (lexis.MEMBERS if inside == _OBJECT else lexis.ITEMS).match(data, at)
                at = match.end() if match else at
                if at == size:
                    break
                if data[at] == (_OBJECT_END if inside == _OBJECT else _ARRAY_END):
                    if len(stack) == self._quiet:
                        break
                    stack.pop()
                    at += 1
                    continue
                match = (lexis.NEXT_MEMBER if inside == _OBJECT else lexis.NEXT_ITEM).match(
                    data, at
                )
                if match is None:
                    break
                at, state = match.end(), _State.VALUE  # of a value that MEMBERS could not take
            elif state is _State.FIRST_KEY:
                match = lexis.MEMBER.match(data, at)
                if match is None:
                    break
                at, state = match.end(), _State.VALUE
                continue
            elif state is _State.VALUE or state is _State.FIRST_VALUE:
                match = lexis.VALUE.match(data, at)
                if match:
                    at, state = match.end(), _State.AFTER
                    continue
            else:
                break
            if at == size or data[at] not in b"{[" or len(stack) == RECORDED_LEVELS:
                break
            state = _State.FIRST_KEY if data[at] == _OBJECT else _State.FIRST_VALUE
            stack.append(data[at])
            at += 1
        self._state = state
        return at

    def _run_deep(self, data: bytes, at: int) -> int:
        """Deep inside, where no bracket in the next bytes can be the way out: count them all."""
        match = lexis.DEEP_RUN.match(data, at, at + loose.DEEP_SPAN)
        if match is None or match.end() == at:
            return at
        self._deep += loose.opened(lexis.STRINGS, match.group())
        return match.end()

    def _step_deep(self, data: bytes, at: int) -> int:
        if self._deep > loose.DEEP_SPAN:
            after = self._run_deep(data, at)
            if after > at:
                return after
        byte = data[at]
        if byte == _QUOTE:
            self._state = _State.STRING
        elif byte in (_OBJECT, _ARRAY):
            self._deep += 1
        elif byte in (_OBJECT_END, _ARRAY_END):
            self._deep -= 1
            if not self._deep:
                self._state = _State.AFTER
        else:
            match = lexis.DEEP.match(data, at)
            if not match or match.end() == at:
                raise Invalid(at, "expected a value")
            return match.end()
        return at + 1

    def _step_loose(self, data: bytes, at: int) -> int:
        at, self._deep = loose.container_end(data, at, self._deep)
        if not self._deep:
            return self._end_value(at)
        if at == len(data):
            return at
        self._state = _State.STRING
        return at + 1


#: By state. Functions, not methods of one scanner: a scanner that holds its own methods is a cycle,
#: and would wait for the garbage collector with all that its listener holds.
_STEPS = (
    Scanner._step_start,
    Scanner._step_value,
    Scanner._step_value,
    Scanner._step_key,
    Scanner._step_key,
    Scanner._step_colon,
    Scanner._step_after,
    Scanner._step_string,
    Scanner._step_key_string,
    Scanner._step_number,
    Scanner._step_literal,
    Scanner._step_deep,
    Scanner._step_loose,
    Scanner._step_done,
)


def _unescape_key(raw: bytes) -> bytes | None:
    if b"\\" not in raw:
        return raw
    try:
        return lexis.unescape(raw.decode("utf-8", "replace")).encode()
    except ValueError:
        return None
