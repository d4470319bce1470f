"""The conversation as a value."""

from __future__ import annotations

from srd.body.prompt import Bound, Counts, Message, Prompt, Said
from srd.signals.base import Origin


def message(role, *texts, place=0):
    made = Message(role, place)
    for text in texts:
        said = Said(100, 0)
        said.text.add(text)
        made.texts.append(said)
    return made


def prompt(*messages, limit=100):
    made = Prompt(limit)
    for place, (role, *texts) in enumerate(messages):
        made.finish(message(role, *texts, place=place))
    return made


def test_a_message_that_passes_is_in_turn_once_it_is_known_to_be_a_users():
    made = prompt(("user", "u"))
    made.passing = message("", "secret")
    assert [m.text for m in made.in_turn] == ["u"]
    made.passing.role = "user"
    assert [m.text for m in made.in_turn] == ["u", "secret"]
    assert made.is_passing
    made.finish(made.passing)
    assert not made.is_passing
    assert made.last_user == "secret"


def test_every_text_is_a_segment_by_itself_and_says_whose_it_is():
    made = prompt(
        ("system", "s"),
        ("user", "one", "two"),
        ("assistant", "a"),
        ("tool", "t"),
        ("critic", "c"),
        ("user", "three", "", "four"),
    )
    made.add(Origin.REPEATED, "r")
    assert [(s.origin.name, s.text) for s in made.segments()] == [
        ("PRIOR", "one"),
        ("PRIOR", "two"),
        ("OTHER", "c"),
        ("HISTORY", "s"),
        ("HISTORY", "a"),
        ("TOOLS", "t"),
        ("REPEATED", "r"),
        ("LAST", "three"),
        ("LAST", "four"),
    ]


def test_of_very_many_user_messages_the_first_and_the_most_recent_are_kept():
    made = prompt(*(("user", f"{number:09}") for number in range(100)), limit=60)
    texts = [m.text for m in made.users]
    assert texts == [f"{n:09}" for n in (0, 1, 2, 97, 98, 99)]
    assert made.truncated


def test_a_first_message_is_kept_whatever_its_length():
    made = prompt(("user", "x" * 90), ("user", "y" * 90), ("user", "z" * 90), limit=100)
    assert [m.text[0] for m in made.users] == ["x", "z"]


def test_the_first_state_that_binds_is_remembered_with_its_place():
    made = Prompt(100)
    for place, bound in enumerate(("", "thinking", "thinking")):
        one = message("assistant", "a", place=place)
        one.bound = bound
        made.finish(one)
    assert made.bound == Bound("thinking", 1)


def test_counts_are_of_finished_messages():
    counts = Counts()
    counts.add(message("user", "é"))
    counts.add(message("", "x"))
    assert counts.by_role == {"user": 1}
    assert (counts.messages, counts.text_bytes) == (2, 3)
    assert repr(message("", "abc")) == "<Message ? 3 chars>"
