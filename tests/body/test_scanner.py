"""The scanner against the json module, against hostile documents, and against itself in pieces."""

from __future__ import annotations

import json
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srd.body.listener import Want
from srd.body.scanner import KEY_LIMIT, RECORDED_LEVELS, TOKEN_LIMIT, BodyError, Scanner


class Listener:
    """Writes down what it hears; enters containers as long as `depth` allows."""

    def __init__(self, depth=1, want=Want.SKIP):
        self.heard = []
        self.depth = depth
        self.want = want
        self.level = 0

    def key(self, name, start):
        self.heard.append(("key", name, start))

    def begin(self, kind, offset):
        self.heard.append(("begin", chr(kind), offset))
        if chr(kind) in "{[":
            if self.level < self.depth:
                self.level += 1
                return Want.ENTER
            return Want.SKIP
        return self.want if chr(kind) == '"' or self.want is not Want.TEXT else Want.SKIP

    def shortcut(self, data, at):
        return 0

    def token(self, raw):
        self.heard.append(("token", raw))

    def text(self, raw):
        if self.heard and self.heard[-1][0] == "text":
            raw = self.heard.pop()[1] + raw
        self.heard.append(("text", raw))

    def end(self, offset):
        self.heard.append(("end", offset))

    def close(self, offset):
        self.level -= 1
        self.heard.append(("close", offset))

    def comma(self, offset):
        self.heard.append(("comma", offset))


def scan(pieces, listener=None, *, strict=True):
    """The events, and the error as (offset, problem)."""
    listener = listener or Listener()
    scanner = Scanner(listener, strict=strict)
    try:
        for piece in pieces:
            scanner.feed(piece)
        scanner.finish()
    except BodyError as error:
        return listener.heard, (error.offset, error.problem)
    return listener.heard, None


def accepts(data):
    return scan([data])[1] is None


def json_accepts(data):
    """What the json module makes of it, our documented differences applied."""
    try:
        text = data.decode("utf-8-sig", "replace")  # invalid UTF-8 passes
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


# -- events


def test_a_listener_hears_members_and_their_places():
    heard, error = scan([b'{"a": 1, "b": [true]}'], Listener(want=Want.TOKEN))
    assert error is None
    assert heard == [
        ("begin", "{", 0),
        ("key", b"a", 1),
        ("begin", "1", 6),
        ("token", b"1"),
        ("end", 7),
        ("comma", 7),
        ("key", b"b", 9),
        ("begin", "[", 14),
        ("end", 20),
        ("close", 20),
    ]


def test_keys_are_compared_after_unescaping():
    heard, _ = scan([rb'{"mod\u0065l":1,"\ud83d\ude00":2,"\ud800":3}'])
    assert [name for what, name, *_ in heard if what == "key"] == [
        b"model",
        "\U0001f600".encode(),
        "\ufffd".encode(),
    ]


def test_a_key_over_the_limit_is_told_as_unknown_before_it_ends():
    listener = Listener()
    scanner = Scanner(listener, strict=True)
    scanner.feed(b'{"' + b"k" * KEY_LIMIT)
    assert listener.heard[1:] == []
    scanner.feed(b"k")
    assert listener.heard[1:] == [("key", None, 1)]
    scanner.feed(b'kkk":1}')
    assert [what for what, *_ in listener.heard] == ["begin", "key", "begin", "end", "close"]


def test_a_token_over_the_limit_is_told_as_unknown_before_it_ends():
    listener = Listener(want=Want.TOKEN)
    scanner = Scanner(listener, strict=True)
    scanner.feed(b'{"a":"' + b"x" * TOKEN_LIMIT)
    assert listener.heard[-1] == ("token", None)
    scanner.feed(b'xx"}')
    assert listener.heard[-2:] == [("end", TOKEN_LIMIT + 9), ("close", TOKEN_LIMIT + 9)]


def test_a_text_arrives_raw_and_whole():
    heard, _ = scan([b'{"a":"x\\n', b"\\u00", b'e9","b":""}'], Listener(want=Want.TEXT))
    assert [raw for what, raw, *_ in heard if what == "text"] == [b"x\\n\\u00e9"]


def test_a_loose_scanner_does_not_look_into_what_it_skips():
    data = b'{"a":["\x00\\q",nonsense,}},"b":1}'
    assert scan([data], strict=True)[1] is not None
    assert scan([b'{"a":["\x00\\q",nonsense,{]],"b":1}'], strict=False)[1] is None
    assert scan([b'{"a":nonsense}'], strict=False)[1] == (6, "expected a value")


def test_what_is_heard_does_not_depend_on_the_pieces(case):
    for strict in (True, False):
        for depth in (1, 3, 9):
            for want in Want.SKIP, Want.TEXT, Want.TOKEN:
                expected = scan([case.data], Listener(depth, want), strict=strict)
                pieces = [case.data[at : at + 1] for at in range(len(case.data))]
                assert scan(pieces, Listener(depth, want), strict=strict) == expected
    for at in range(len(case.data)):
        pieces = [case.data[:at], case.data[at:]]
        expected = scan([case.data], Listener(2))
        assert scan(pieces, Listener(2)) == expected


# -- validation


def test_the_corpus_is_judged_as_the_json_module_judges_it(case):
    assert json_accepts(case.data) is accepts(case.data) is case.valid


@given(data=st.text('{}[],:"\\ue0 1-.\n\x00atrulsn', max_size=12).map(lambda t: f'{{"a":{t}}}'))
@settings(max_examples=600)
def test_random_letters_of_json_are_judged_as_the_json_module_judges_them(data):
    assert accepts(data.encode()) is json_accepts(data.encode())


FRAGMENTS = [*'{}[],:"', '"a"', "1", "-", "0", ".5", "e1", "true", "null", " ", "\\", "\\u12", "é"]


@given(parts=st.lists(st.sampled_from(FRAGMENTS), max_size=14), cut=st.integers(0, 40))
@settings(max_examples=600)
def test_random_fragments_are_judged_alike_in_one_piece_and_in_two(parts, cut):
    data = ('{"a":[' + "".join(parts) + "]}").encode()
    whole = scan([data])
    assert (whole[1] is None) is json_accepts(data)
    assert scan([data[:cut], data[cut:]]) == whole
    assert scan([data], Listener(9))[1] == whole[1]


@given(data=st.binary(max_size=30), place=st.integers(0, 60))
def test_no_bytes_raise_anything_but_a_body_error(data, place):
    base = b'{"messages":[{"role":"user","content":"hi \\u00e9"}],"n":-1.5e3}'
    mixed = base[:place] + data + base[place:]
    assert (scan([mixed])[1] is None) is json_accepts(mixed)
    scan([mixed], strict=False)


@pytest.mark.parametrize(
    ("data", "offset", "problem"),
    [
        (b"", 0, "no JSON object"),
        (b"  ", 2, "no JSON object"),
        (b"[1]", 0, "not a JSON object"),
        (b'\xef\xbbx{"a":1}', 2, "a broken byte order mark"),
        (b'{"a":1', 6, "the JSON text ends early"),
        (b'{"a":1} {}', 8, "data after the JSON object"),
        (b'{"a" 1}', 5, "expected a colon"),
        (b'{"a":1 2}', 7, "expected a comma or }"),
        (b'{"a":[1 2]}', 8, "expected a comma or ]"),
        (b'{"a":1,}', 7, "expected a key"),
        (b'{"a":[1,]}', 8, "expected a value"),
        (b'{"a":1.}', 7, "a broken number"),
        (b'{"a":nul}', 8, "expected a value"),
        (b'{"a":"\n"}', 6, "a control character in a string"),
        (b'{"a":"\\x"}', 7, "an unknown escape in a string"),
        (b'{"a":"\\u1x"}', 9, "a broken escape in a string"),
    ],
)
def test_an_error_names_the_byte_and_the_problem(data, offset, problem):
    assert scan([data])[1] == (offset, problem)
    assert scan([data[at : at + 1] for at in range(len(data))])[1] == (offset, problem)


# -- hostile documents: linear work, constant memory


def nested(levels):
    return b'{"a":' + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize("levels", [RECORDED_LEVELS - 2, RECORDED_LEVELS, 50_000])
@pytest.mark.parametrize("strict", [True, False])
def test_nesting_of_any_depth_is_counted(levels, strict):
    assert scan([nested(levels)], strict=strict)[1] is None
    assert scan([nested(levels)[:-2] + b"}"], strict=strict)[1] is not None


def test_below_the_recorded_levels_only_brackets_and_strings_count():
    deep = b"[" * RECORDED_LEVELS + b'{"}":1 2,,}' + b"]" * RECORDED_LEVELS
    assert accepts(b'{"a":' + deep + b"}")
    assert not accepts(b'{"a":' + deep.replace(b"2", b"\x00") + b"}")
    assert not accepts(b'{"a":' + deep.replace(b'"}"', b'"\x00"') + b"}")


HOSTILE = {
    "nesting": lambda n: nested(n // 2),
    "nested objects": lambda n: b'{"a":' * (n // 6) + b"1" + b"}" * (n // 6),
    "keys at the top": lambda n: b"{" + b'"k":1,' * (n // 6) + b'"k":1}',
    "keys inside": lambda n: b'{"a":{' + b'"k":1,' * (n // 6) + b'"k":1}}',
    "empty containers": lambda n: b'{"a":[' + b"{}," * (n // 3) + b"[]]}",
    "a long key": lambda n: b'{"' + b"k" * n + b'":1}',
    "a long string": lambda n: b'{"a":"' + b"x" * n + b'"}',
    "a string of escapes": lambda n: b'{"a":"' + b"\\n" * (n // 2) + b'"}',
    "a string of quotes": lambda n: b'{"a":"' + b'\\"' * (n // 2) + b'"}',
    "a string of backslashes": lambda n: b'{"a":"' + b"\\\\" * (n // 2) + b'"}',
    "a long number": lambda n: b'{"a":1' + b"0" * n + b"}",
    "a long fraction": lambda n: b'{"a":0.' + b"0" * n + b"1}",
    "spaces": lambda n: b'{"a"' + b" " * n + b":" + b" " * n + b"1" + b" " * n + b"}",
    "unclosed inside": lambda n: b'{"a":[' + b'[{"b":"c"},' * (n // 11),
    "fours levels and one more": lambda n: b'{"a":[' + b"[[[[[[[[1]]]]]]]]," * (n // 18) + b"1]}",
    "long strings inside": lambda n: (
        b'{"a":[' + (b'"' + b"x" * 1100 + b'",') * (n // 1103) + b"1]}"
    ),
}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", HOSTILE)
def test_work_is_bounded_by_the_documents_length(name, strict):
    for size, chunk in ((5_000, 1), (40_000, 1000), (40_000, 1 << 20)):
        scanner = Scanner(Deaf(), strict=strict)
        data = HOSTILE[name](size)
        for at in range(0, len(data), chunk):
            scanner.feed(data[at : at + chunk])
        assert scanner.steps <= 3 * len(data)


class Deaf(Listener):
    """Enters the document only, and remembers nothing."""

    def key(self, name, start):
        pass

    def begin(self, kind, offset):
        return Want.SKIP if offset else Want.ENTER

    def end(self, offset):
        pass

    def comma(self, offset):
        pass

    def close(self, offset):
        pass


@pytest.mark.parametrize("name", HOSTILE)
def test_memory_does_not_grow_with_the_document(name):
    data = HOSTILE[name](120_000)
    scanner = Scanner(Deaf(), strict=True)
    pieces = [data[at : at + 4000] for at in range(0, len(data), 4000)]
    scanner.feed(pieces[0])
    tracemalloc.start()
    try:
        for piece in pieces[1:]:
            scanner.feed(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Before 3.11.5 a repetition keeps a stack: bounded by the piece, not by the document.
    assert peak < (30_000 if sys.version_info >= (3, 11, 5) else 160 * 4000)


def test_a_scanner_says_where_it_is():
    scanner = Scanner(Listener(), strict=True)
    scanner.feed(b'{"a":[')
    assert repr(scanner) == "<Scanner strict FIRST_VALUE at=6 depth=2>"
    assert not scanner.done
    scanner.feed(b"]}")
    assert scanner.done
