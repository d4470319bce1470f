"""The desk: what is held, swallowed, decided and cancelled."""

from __future__ import annotations

from srd.body.edits import LIMIT, Context, Edits, Splice
from srd.body.listener import Want


class Desk(Edits):
    """One document whose members are all replaced by 0 if they are strings."""

    def open_top(self, offset):
        self.opened_at = offset
        return Replacing()

    def close_top(self, offset):
        self.insert(offset, b"!")


class Replacing(Context):
    def begin(self, edits, kind, offset):
        if kind == ord('"'):
            return edits.swallow(offset, b"0")
        return edits.enter(Replacing()) if kind == ord("[") else Want.SKIP


def opened():
    desk = Desk()
    desk.begin(ord("{"), 0)
    return desk


def test_a_swallowed_value_is_held_until_it_ends():
    desk = opened()
    desk.begin(ord('"'), 5)
    assert (desk.hold, desk.decided) == (5, [])
    desk.end(9)
    assert (desk.hold, desk.decided) == (None, [Splice(5, 9, b"0")])


def test_a_swallowed_value_over_the_limit_goes_as_it_passes():
    desk = opened()
    desk.begin(ord('"'), 5)
    desk.pressure(5 + LIMIT)
    assert (desk.hold, desk.decided) == (5, [])
    desk.pressure(6 + LIMIT)
    desk.pressure(7 + LIMIT)
    desk.end(9 + LIMIT)
    assert desk.hold is None
    assert desk.decided == [
        Splice(5, 6 + LIMIT, b"0"),
        Splice(6 + LIMIT, 7 + LIMIT, b""),
        Splice(7 + LIMIT, 9 + LIMIT, b""),
    ]


def test_the_innermost_entered_container_listens():
    desk = opened()
    assert desk.begin(ord("["), 5) is Want.ENTER
    desk.begin(ord('"'), 6)
    desk.end(9)
    desk.close(9)
    assert desk.closed_at is None
    desk.close(10)
    assert desk.closed_at == 10
    assert desk.decided == [Splice(6, 9, b"0"), Splice(10, 10, b"!")]


def test_what_is_swallowed_is_kept_for_as_long_as_patience_lasts():
    desk = opened()
    desk.patient = True
    desk.begin(ord('"'), 5)
    desk.pressure(6 + LIMIT)
    assert (desk.hold, desk.decided) == (5, [])
    desk.patient = False
    desk.pressure(6 + LIMIT)
    assert desk.decided == [Splice(5, 6 + LIMIT, b"0")]


def test_what_is_swallowed_goes_at_once_when_it_must():
    desk = opened()
    desk.begin(ord('"'), 5)
    desk.let_go(7)
    assert (desk.hold, desk.decided) == (7, [Splice(5, 7, b"0")])
    desk.end(9)
    assert desk.decided[1:] == [Splice(7, 9, b"")]


def test_half_of_a_swallowed_value_stays_when_the_rest_goes_elsewhere():
    desk = opened()
    desk.begin(ord('"'), 5)
    desk.cut_off(7)
    assert (desk.hold, desk.decided) == (None, [])


def test_a_pin_holds_more_than_what_is_held_inside():
    desk = opened()
    desk.pin(3)
    desk.hold = 8
    assert desk.floor == 3
    desk.unpin(3)
    assert desk.floor == 8


def test_repeated_names_are_noted_once_and_not_without_end():
    desk = Edits()
    for number in (1, 1, *range(100)):
        desk.repeated(b"n%d" % number)
    assert desk.duplicates[:2] == ["n1", "n0"]
    assert len(desk.duplicates) == len(set(desk.duplicates)) == 16


def test_contexts_do_nothing_unless_they_say_so():
    plain, desk = Context(), Edits()
    assert plain.begin(desk, ord("{"), 1) is Want.SKIP
    desk.begin(ord("{"), 0)
    for happens in (
        lambda: desk.key(b"a", 1),
        lambda: desk.token(b"1"),
        lambda: desk.text(b"x"),
        lambda: desk.comma(5),
        lambda: desk.pressure(6),
        lambda: desk.let_go(6),
        lambda: desk.cut_off(6),
    ):
        happens()
    assert desk.shortcut(b"{}", 0) == 0
    desk.close(7)
    assert (desk.decided, desk.floor) == ([], None)
    assert repr(desk) == "<Edits 0 decided, hold=None>"
