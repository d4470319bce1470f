"""Which words name a subject."""

import pytest

from srd.evidence.talk import ENOUGH, goes_on, subject_words, without_opening


@pytest.mark.parametrize(
    "text",
    [
        "can you make that shorter?",
        "now do the same for the other file",
        "Run the tests again, then commit it.",
        "I don’t get the last part",
        "hello there, can you help me?",
        "how many hours apart?",
        "step 3",
        "",
    ],
)
def test_a_turn_about_the_answer_has_no_subject_word(text: str) -> None:
    assert subject_words(text) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What is photosynthesis?", 1),
        ("photosynthesis, Photosynthesis and PHOTOSYNTHESIS", 1),
        ("Is alcohol bad with antibiotics?", 2),
        ("Why does the moon orbit the earth?", 3),
        ("Find x^2 = 9", 3),
        ("什么是光合作用，它在植物中是如何发生的？", 3),
        ("解释一下", 1),
    ],
)
def test_other_words_and_signs_of_formulas_are_counted_up_to_enough(text: str, words: int) -> None:
    assert subject_words(text) == words <= ENOUGH


def test_a_long_text_is_no_aside_whatever_its_words() -> None:
    assert subject_words("yes and no " * 100) == ENOUGH


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Ok, changing the subject. Is a will valid?", "Is a will valid?"),
        ("Thanks!\n\nhow do vaccines work", "how do vaccines work"),
        ("different question: who was Cleopatra?", "who was Cleopatra?"),
        ("Who was Cleopatra? Thanks!", "Who was Cleopatra? Thanks!"),
        ("ok. thanks. do it again", "ok. thanks. do it again"),
        ("", ""),
    ],
)
def test_sentences_that_open_a_turn_are_left_out_where_something_follows(
    text: str, rest: str
) -> None:
    assert without_opening(text) == rest


@pytest.mark.parametrize(
    ("text", "leans"),
    [
        ("but then there is a force along the shaft", True),
        ("ok and if I sit in a train?", True),
        ("It carries a brick wall.", True),
        ("So what can I spend?", True),
        ("Oh, and who was Cleopatra?", False),
        ("also, who was Cleopatra?", False),
        ("Thanks. Who was Cleopatra?", False),
        ("butter or oil for frying?", False),
        ("", False),
    ],
)
def test_a_turn_that_begins_with_and_or_but_goes_on(text: str, leans: bool) -> None:
    assert goes_on(text) is leans
