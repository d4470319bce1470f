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


def test_a_name_covers_what_comes_up_to_the_first_user_message():
    base = [("system", "s"), ("user", "u")]
    name = prompt(*base).digest()
    assert name is not None
    assert prompt(*base, ("user", "v")).digest() == name
    assert prompt(("assistant", "a"), *base).digest() == name
    assert prompt(("tool", "t"), ("user", ""), *base).digest() == name
    assert prompt(("developer", "s"), ("user", "u")).digest() != name
    assert prompt(("system", "su"), ("user", "")).digest() is None
    assert prompt(("system", "su"), ("user", "u")).digest() != name
    assert prompt(("user", "u")).digest() != name


def test_a_name_tells_long_texts_apart_by_head_tail_and_length():
    names = {
        prompt(("user", text)).digest()
        for text in ("a" * 200, "a" * 201, "b" + "a" * 199, "a" * 199 + "b")
    }
    assert len(names) == 4


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
