"""The owner of the bytes: what leaves when, what is held, and what no fault may cost."""

from __future__ import annotations

import pytest

from srd.body.edits import LIMIT
from srd.body.plan import BodyEdits
from srd.body.rewrite import Rewrite, SystemPrompt
from srd.body.shapes import SHAPES, Api
from srd.body.splice import Splicer

AUTO = frozenset({"auto"})


def splicer(rewrite=None, **options):
    rewrite = rewrite or Rewrite(model="m", replaceable=AUTO)
    return Splicer(BodyEdits(rewrite, SHAPES[Api.CHAT], **options))


def test_bytes_leave_as_soon_as_no_edit_can_change_them():
    made = splicer(Rewrite(model="m", replaceable=AUTO, drop=frozenset({"x"})))
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


def test_behind_an_explicit_model_nothing_is_looked_at():
    made = splicer()
    out = made.feed(b'{"model":"other"') + made.feed(b"\x00 nonsense", end=True)
    assert out == b'{"model":"other"\x00 nonsense'
    assert made.broken == ""
    assert made.final


@pytest.mark.parametrize("target", ["_take", "_release", "_apply"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_fault_anywhere_loses_and_doubles_no_byte(target, nth, monkeypatch):
    data = b'{"a":1,"x":2,"model":"auto","messages":[{"content":"c","role":"user"}],"z":3}'
    rewrite = Rewrite(
        model="m",
        replaceable=AUTO,
        drop=frozenset({"x"}),
        system_prompt=SystemPrompt("s", "insert"),
    )
    healthy = getattr(Splicer, target)
    for size in (1, 10, 1000):
        made, calls = splicer(rewrite), 0

        def faulty(self, *arguments):
            nonlocal calls
            calls += 1
            if calls == nth:
                raise MemoryError("injected")
            return healthy(self, *arguments)

        monkeypatch.setattr(Splicer, target, faulty)
        out = b"".join(
            made.feed(data[at : at + size], end=at + size >= len(data))
            for at in range(0, len(data), size)
        )
        monkeypatch.setattr(Splicer, target, healthy)
        assert calls < nth or made.broken
        assert made.held == 0
        restored = out.replace(b'"model":"m"', b'"model":"auto"')
        restored = restored.replace(b'{"role":"system","content":"s"},', b"")
        assert restored in (data, data.replace(b',"x":2', b""))


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


def test_a_failure_while_settling_releases_the_tail():
    made = splicer(tail=True)
    made.feed(b"{}", end=True)
    assert made.settle(lambda: 1 / 0) == b"}"
    assert made.broken == "ZeroDivisionError while settling"
    assert made.settle(lambda: None) == b""


def test_somebody_else_may_stop_it():
    made = splicer(Rewrite(drop=frozenset({"x"})))
    made.feed(b'{"x":1')
    assert made.stop("enough", 6) == b'"x":1'
    assert made.feed(b'1,"x":2') == b'1,"x":2'
    assert made.broken == "enough"
    assert made.stop("again", 9) == b""
