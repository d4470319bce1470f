"""The owner of the bytes: what leaves when, what is held, and what no fault may cost."""

from __future__ import annotations

import sys

import pytest

from srd.body.edits import LIMIT
from srd.body.plan import BodyEdits
from srd.body.rewrite import Rewrite, SystemPrompt
from srd.body.shapes import SHAPES, Api
from srd.body.splice import Splicer


def splicer(rewrite=None, **options):
    rewrite = rewrite or Rewrite(model="m")
    return Splicer(BodyEdits(rewrite, SHAPES[Api.CHAT], **options))


def test_bytes_leave_as_soon_as_no_edit_can_change_them():
    made = splicer(Rewrite(model="m", drop=frozenset({"x"})))
    assert made.feed(b' {"a":1') == b' {"a":1'
    assert made.feed(b",") == b""
    assert made.feed(b' "') == b""
    assert made.held == 3
    assert made.feed(b'b"') == b', "b"'
    assert made.feed(b':2,"x"') == b":2"
    assert made.feed(b":3") == b""
    assert made.feed(b"}", end=True) == b',"model":"m"}'


def test_a_chunk_inside_a_string_passes_as_it_is():
    made = splicer()
    made.feed(b'{"messages":[{"role":"user","content":"')
    chunk = b"x" * 65536
    assert made.feed(chunk) is chunk
    assert made.held == 0


def test_only_the_model_token_is_held():
    made = splicer()
    assert made.feed(b'{"messages":[],"model" : "au') == b'{"messages":[],"model" : '
    assert made.held == 3
    assert made.feed(b'to"') == b'"m"'
    assert made.feed(b"}", end=True) == b"}"
    assert (made.delta, made.final) == (-3, True)


def test_a_document_that_breaks_is_echoed_from_there():
    made = splicer()
    assert made.feed(b'{"model":"auto"!"model":"auto"') == b'{"model":"m"!"model":"auto"'
    assert made.broken == "expected a comma or } at byte 15"
    assert made.feed(b"anything", end=True) == b"anything"
    assert repr(made) == "<Splicer expected a comma or } at byte 15 held=0 delta=-3>"


def test_a_document_that_ends_early_has_left_completely():
    made = splicer()
    out = made.feed(b'{"model":"auto","a":"b') + made.feed(b"", end=True)
    assert out == b'{"model":"m","a":"b'
    assert "ends early" in made.broken
    held = splicer()
    assert held.feed(b'{"model":"au', end=True) == b'{"model":"au'


def test_behind_the_chosen_model_the_document_is_still_looked_at():
    made = splicer()
    out = made.feed(b'{"model":"m"') + made.feed(b',"model":"other"}', end=True)
    assert out == b'{"model":"m","model":"m"}'
    assert made.edited
    assert made.final


def test_a_document_that_needs_no_edit_is_not_edited():
    made = splicer(Rewrite(model="m", set_members={"a": b"1"}))
    assert made.feed(b'{"model":"m","a":1}', end=True) == b'{"model":"m","a":1}'
    assert not made.edited


DATA = (
    b'{"a":1,"x":2,"model":"auto","messages":[{"content":"c","role":"user","content":1}],"z":3,'
    b'"messages":[4]}'
)
EVERYTHING = Rewrite(
    model="m",
    drop=frozenset({"x"}),
    set_members={"y": b"0"},
    system_prompt=SystemPrompt("s", "insert"),
)


class Sabotage:
    """Raises MemoryError at the n-th line that runs in the body's own modules."""

    def __init__(self, nth):
        self.left = nth

    def __call__(self, frame, event, argument):
        if "/srd/body/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise MemoryError("injected")
        return self

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self)

    def __exit__(self, *error):
        sys.settrace(self.before)


@pytest.mark.parametrize("size", [7, 60, 1000])
def test_behind_a_fault_in_any_statement_nothing_leaves_any_more(size):
    pieces = [DATA[at : at + size] for at in range(0, len(DATA), size)]
    expected = b"".join(fed(splicer(EVERYTHING), pieces))
    nth, faults = 0, 0
    while True:
        nth += 1
        made, out = splicer(EVERYTHING), []
        sabotage = Sabotage(nth)
        for index, piece in enumerate(pieces):
            try:
                with sabotage:
                    got = made.feed(piece, end=index == len(pieces) - 1)
            except MemoryError:
                faults += 1
                break
            out.append(got)
        else:
            break  # no statement is left
        assert expected.startswith(b"".join(out))
        # A fault in the call's first statement, before anything happened, is its caller's to see.
        if made._failed:
            with pytest.raises(RuntimeError, match="failed before"):
                made.feed(b"")
    assert b"".join(out) == expected
    assert faults > 100


def fed(made, pieces):
    return [made.feed(piece, end=index == len(pieces) - 1) for index, piece in enumerate(pieces)]


def test_what_is_held_leaves_when_it_must():
    made = splicer(Rewrite(model="m", drop=frozenset({"x"})))
    assert made.feed(b'{"a":1, "x') + made.let_go() == b'{"a":1, "x'
    assert made.held == 0
    assert made.feed(b'":[1,2],"model":"oth') == b'":null,"model":'
    assert made.let_go() == b'"m"'
    assert made.held == 0
    assert made.feed(b'er"}', end=True) == b"}"


def test_what_passes_a_cut_is_not_looked_at():
    made = splicer()
    assert made.feed(b'{"model":"oth') + made.cut_off() == b'{"model":"oth'
    assert made.feed(b'er" nonsense') == b'er" nonsense'
    assert made.cut_off() == made.let_go() == b""


def test_a_tail_is_held_with_the_space_behind_it():
    made = splicer(tail=True)
    assert made.feed(b'{"a":1 } \n', end=True) == b'{"a":1 '
    assert made.held == 3
    assert not made.final
    edits = made.edits
    assert made.settle(lambda: edits.settle(Rewrite(model="m"))) == b',"model":"m"} \n'
    assert made.final
    assert made.delta == len(',"model":"m"')


@pytest.mark.parametrize("behind", [b"", b"!", b"{}"])
def test_more_space_behind_a_tail_than_anybody_holds_moves_before_the_brace(behind):
    data = b'{"a":1}' + b" " * LIMIT + b"\n" * 1000 + behind
    expected = None
    for size in (len(data), 999, 65_537):
        made = splicer(tail=True)
        out = b"".join(
            made.feed(data[at : at + size], end=at + size >= len(data))
            for at in range(0, len(data), size)
        )
        assert made.held <= LIMIT
        edits = made.edits
        out += made.settle(lambda edits=edits: edits.settle(Rewrite(model="m")))
        expected = expected or out
        assert out == expected
        assert sorted(out.replace(b',"model":"m"', b"")) == sorted(data)


def test_a_failure_while_settling_is_not_hidden():
    made = splicer(tail=True)
    made.feed(b"{}", end=True)
    with pytest.raises(ZeroDivisionError):
        made.settle(lambda: 1 / 0)
    with pytest.raises(RuntimeError):
        made.settle(lambda: None)


def test_somebody_else_may_stop_it():
    made = splicer(Rewrite(drop=frozenset({"x"})))
    made.feed(b'{"x":1')
    assert made.stop("enough", 6) == b'"x":1'
    assert made.feed(b'1,"x":2') == b'1,"x":2'
    assert made.broken == "enough"
    assert made.stop("again", 9) == b""
