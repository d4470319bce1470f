"""Where values end that nobody looks into: against the slow way, in every cut."""

from __future__ import annotations

import json
import random

import pytest

from srd.body.loose import DEEP_SPAN, container_end, plain_objects, string_end

ONCE = frozenset({b"role", b"content"})


def slow_end(data, at):
    while at < len(data):
        if data[at] == ord('"'):
            return at
        at += 2 if data[at] == ord("\\") else 1
    return -1


def test_a_string_ends_at_its_first_quote_that_is_not_escaped():
    chance = random.Random(3)
    for _ in range(3000):
        size = chance.choice((3, 20, 600, 5000))
        letters = chance.choice(('a"\\', 'abcdefgh"\\\\', 'aaaaaaaaaaaa\\"', "\\", 'a\\"\\"'))
        data = "".join(chance.choices(letters, k=size)).encode()
        at = slow_end(data, chance.randrange(3)) + 1
        assert string_end(data, at) == slow_end(data, at)


@pytest.mark.parametrize("size", [254, 255, 256, 257, 2303, 2304, 2305, 4352])
def test_an_escape_may_lie_across_the_windows(size):
    for escape in (b'\\"', b"\\\\", b'\\\\\\"', b"\\n"):
        data = b'\\"\\"\\"' + b"a" * (size - 7) + escape + b'z"'
        assert string_end(data, 0) == len(data) - 1


def test_a_container_ends_where_its_last_bracket_closes():
    documents = [
        {"a": [1, {"b": "}" * 50}], "c": "x" * 5000 + '"' * 10},
        [[[[[["deep"] * 3]]]], {"k" * 100: None}],
        {"plain": "text"},
        [],
    ]
    for document in documents:
        data = json.dumps(document).encode() + b", more"
        whole = len(data) - 6
        assert container_end(data, 1, 1) == (whole, 0)
        for cut in range(1, whole):
            at, depth = container_end(data[:cut], 1, 1)
            assert depth > 0
            # What is left goes on with the depth, at the quote of a string that was cut.
            assert container_end(data, at, depth) == (whole, 0)


def test_a_deep_container_is_counted():
    for depth in (DEEP_SPAN - 1, DEEP_SPAN, 5 * DEEP_SPAN):
        data = b"[" * depth + b'"]"' + b"]" * depth + b"]"
        assert container_end(data, 1, 1) == (2 * depth + 3, 0)


PLAIN = b'{"role":"user","content":"a"}'
SCALARS = b'{"a":1,"a":2,"n":-1.5e3,"t":true,"f":false,"z":null}'


@pytest.mark.parametrize(
    ("data", "taken"),
    [
        (PLAIN, PLAIN),
        (PLAIN + b' , {"x":[1,{}]},', PLAIN + b' , {"x":[1,{}]}'),
        (PLAIN + b',{"role":"user","content":"b","content":1}', PLAIN),
        (PLAIN + b" ] ", PLAIN),
        (PLAIN + b', "x"', PLAIN),
        (b'{"a":{"content":1,"content":2}}', b'{"a":{"content":1,"content":2}}'),
        (SCALARS, SCALARS),
        (b'{"content":1,"content":2}', b""),
        (rb'{"cont\u0065nt":1}', b""),
        (b"{}", b""),
        (b'{"a":1,}', b""),
        (b'{"a":tru}', b""),
        (b'{"a":01}', b""),
        (b'{"a":1]', b""),
        (b'{"content":[{"text":"a","text":"b"}]}', b""),
        (b'{"content":[{"te\\u0078t":"a"}]}', b""),
        (b'{"content":[{"content":[{"type":"a","type":"b"}]}]}', b""),
        (b'{"content":[{"text":"a"},]}', b""),
        (b'{"content":[{"text":"a"} "b"]}', b""),
        (b'{"content":[,{"text":"a"}]}', b""),
        (b'{"content":[{"text":"a"},', b""),
        (b'{"content":[ ] }x', b'{"content":[ ] }'),
        (b'{"content":["a", 1, {"text":"b"} , [2]],"a":1}x',
         b'{"content":["a", 1, {"text":"b"} , [2]],"a":1}'),
        (b'{"a":[{"text":"a","text":"b"}]}x', b'{"a":[{"text":"a","text":"b"}]}'),
        (b'{"content":[{"content":[{"content":[{"text":1,"text":2}]}]}]}x',
         b'{"content":[{"content":[{"content":[{"text":1,"text":2}]}]}]}'),
        (b'{"role":"user","content":"a"', b""),
        (b'{"role":"user","content":"a', b""),
        (b'{"role":"user","content":', b""),
        (b'{"x":[1,2', b""),
        (b'{"x', b""),
    ],
)  # fmt: skip
def test_whole_objects_that_repeat_nothing_are_passed_over(data, taken):
    assert data[: plain_objects(data, 0, ONCE, 2)] == taken
