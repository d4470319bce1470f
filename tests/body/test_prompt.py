"""The conversation as a value."""

from __future__ import annotations

from srd.body.prompt import Counts, Message, Prompt


def message(role, text):
    made = Message(role, 100)
    made.text.add(text)
    return made


def prompt(*messages):
    made = Prompt(100)
    for role, text in messages:
        made.finish(message(role, text))
    return made


def test_a_shown_message_is_the_first_one_until_it_is_hidden():
    made = Prompt(100)
    made.show(message("user", "u"))
    assert made.first_user == "u"
    made.hide()
    assert made.first_user == ""
    made.finish(message("user", "v"))
    made.show(message("user", "w"))
    made.hide()
    assert made.first_user == "v"


def test_counts_are_of_finished_messages():
    counts = Counts()
    counts.add(message("user", "é"))
    counts.add(message("", "x"))
    assert counts.by_role == {"user": 1}
    assert (counts.messages, counts.text_bytes) == (2, 3)
    assert repr(message("", "abc")) == "<Message ? 3 chars>"
