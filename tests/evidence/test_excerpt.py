"""What of a long message is read, and how its pieces are weighed against each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from text_kinds import KINDS

from srd.evidence.excerpt import PIECE, PIECES, combine, excerpt, lean
from srd.evidence.weigh import weigh

WINDOW = 512
QUESTION = "Why does the boundary of a convex set have measure zero?"
LOG = "\n".join(
    f"2026-05-01 12:00:{n % 60:02} ERROR [worker-{n}] connection reset by peer id={n:08x}"
    for n in range(400)
)
CODE = "\n".join(f"def step_{n}(x):\n    return [x, {n}]\n" for n in range(400))
JSON = "\n".join(f'  {{"id": {n}, "name": "Ann", "score": 0.{n}}},' for n in range(400))
PROSE = " ".join(f"The ferry leaves at {n} and nobody minds the fog." for n in range(200))
PASTED = {"log": LOG, "code": CODE, "JSON": JSON, "prose": PROSE}


def test_a_short_text_is_read_as_it_is() -> None:
    read = excerpt([QUESTION], WINDOW)
    assert (read.texts, read.unread) == ((QUESTION,), 0)


def test_a_long_question_that_fits_is_read_as_it_is() -> None:
    text = KINDS["English"].strip() + " Which of these habits would you keep?"
    assert excerpt([text], WINDOW).texts == (text,)


def test_no_text_at_all_is_an_empty_one() -> None:
    assert excerpt([], WINDOW).texts == ("",)
    assert excerpt(["  ", "\n"], WINDOW).texts == ("",)


@pytest.mark.parametrize("kind", PASTED)
@pytest.mark.parametrize(
    "pattern", ["{q}\n\n{p}", "{p}\n\n{q}", "```\n{p}\n```\n{q}", "{q}\n```\n{p}\n```"]
)
def test_the_question_before_or_behind_a_paste_is_the_main_text(kind: str, pattern: str) -> None:
    text = pattern.format(q=QUESTION, p=PASTED[kind])
    read = excerpt([text], WINDOW)
    assert read.texts[0].strip() == QUESTION
    assert read.unread > len(text) // 2


@pytest.mark.parametrize("kind", ["log", "code", "JSON"])
def test_one_line_break_parts_a_question_from_pasted_lines(kind: str) -> None:
    assert excerpt([f"{QUESTION}\n{PASTED[kind]}"], WINDOW).texts[0].strip() == QUESTION
    assert excerpt([f"{PASTED[kind]}\n{QUESTION}"], WINDOW).texts[0].strip() == QUESTION


def test_a_question_beside_a_paste_that_fits_is_read_once_more_by_itself() -> None:
    text = f"{QUESTION}\n\n{LOG[:900]}"
    assert excerpt([text], WINDOW).texts == (text, QUESTION)


def test_the_last_of_several_parts_is_the_main_one() -> None:
    first, last = "the orbit of a comet", "the budget of a bakery"
    assert excerpt([first, last], WINDOW).texts[0] == last


def test_a_question_before_an_attachment_is_the_main_one() -> None:
    assert excerpt([QUESTION, LOG], WINDOW).texts[0] == QUESTION


def test_a_question_behind_an_attachment_is_the_main_one() -> None:
    assert excerpt([CODE, QUESTION], WINDOW).texts[0] == QUESTION


def test_nothing_but_fences_is_read_from_its_beginning() -> None:
    assert excerpt(["```\n" * 900], WINDOW).texts[0].strip("`\n") == ""
    assert excerpt(["```\n" * 40], WINDOW).texts == ("```\n" * 40,)


def test_unread_counts_what_no_piece_holds() -> None:
    text = f"{QUESTION}\n\n{LOG}"
    assert excerpt([text], WINDOW).unread == len(text) - len(QUESTION)


@pytest.mark.parametrize("kind", ["log", "code", "JSON"])
def test_pasted_lines_lean_away_and_questions_towards_being_asked(kind: str) -> None:
    assert lean(PASTED[kind][:600]) < -1 < 2 < lean(QUESTION)


def test_one_text_keeps_its_own_score() -> None:
    score = {"math": 0.7, "law": 0.3}
    assert combine(["x"], [score]) is score


def test_a_question_outweighs_a_log() -> None:
    scores = [{"math": 0.1, "law": 0.9}, {"math": 0.8, "law": 0.2}]
    combined = combine([LOG[:300], QUESTION], scores)
    assert combined["math"] > 0.7
    assert sum(combined.values()) == pytest.approx(1.0)


def test_a_piece_that_is_not_sure_does_not_overrule_the_text_it_stands_in() -> None:
    whole = "A long tale of a tenant and a roof that leaks.\n\nWhat should she do?"
    scores = [{"law": 0.95, "other": 0.05}, {"law": 0.4, "other": 0.6}]
    assert combine([whole, "What should she do?"], scores)["law"] > 0.75


def test_a_sure_question_overrules_the_text_it_stands_in() -> None:
    scores = [{"law": 0.95, "math": 0.05}, {"law": 0.05, "math": 0.95}]
    assert combine([f"{PROSE}\n\n{QUESTION}", QUESTION], scores)["math"] > 0.75


paragraphs = st.lists(
    st.sampled_from(
        [
            QUESTION,
            LOG[:2000],
            CODE[:500],
            PROSE[:3000],
            "thanks!",
            "```",
            "",
            "a" * 5000,
            "\u6587" * 900,
        ]
    )
)


@given(st.lists(paragraphs.map("\n".join) | paragraphs.map("\n\n".join), max_size=6))
def test_any_message_is_read_within_the_bounds(parts: list[str]) -> None:
    read = excerpt(parts, WINDOW)
    assert 1 <= len(read.texts) <= 1 + PIECES
    assert weigh(read.texts[0]) <= WINDOW
    assert all(weigh(text) <= PIECE for text in read.texts[1:])
    assert 0 <= read.unread <= sum(map(len, parts))
    assert all(any(text in part for part in parts) for text in read.texts if text)


@pytest.mark.parametrize(
    "around",
    [
        "Context:\n{pasted}\n\nQuestion: {asked}",
        "Question: {asked}\n\nContext:\n{pasted}",
        "Sources:\n{pasted}\n\n**User question:** {asked}\n\nHelpful Answer:",
        "{pasted}\nFrage: {asked}\nAntwort:",
        "问题：{asked}\n\n{pasted}",
    ],
)
def test_what_stands_behind_a_label_is_read_alone(around: str) -> None:
    pasted = "\n\n".join("The river bends twice before it meets the mill. " * 12 for _ in range(9))
    asked = "regex for dates like 3/7/24"
    assert excerpt([around.format(pasted=pasted, asked=asked)], 512).texts == (asked,)


def test_words_without_a_subject_behind_a_label_compete_like_any_paragraph() -> None:
    pasted = "My landlord sold the house and the lease ends. " * 90
    read = excerpt([f"Context:\n{pasted}\n\nQuestion: Can he do that to me?\n\nAnswer:"], 512)
    assert read.texts[0] == "Can he do that to me?"


def test_a_part_that_a_human_wrote_beside_an_attachment_is_read_as_a_whole() -> None:
    said = "Here are the numbers.\nPlan A 4120, plan B 3988\n\nWhich one is better?"
    attached = "def load(item):\n    return item.value * 3\n" * 90
    assert said in excerpt([attached, said], 512).texts
    assert said in excerpt([said, attached], 512).texts
