from __future__ import annotations

import sys
from types import FrameType
from typing import Any, SupportsIndex

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from srd.config.globals import EvidenceRules, HumanTemplate
from srd.evidence.human import Harness, Human, deciding, opening, readings, turns

HARNESS = Harness.of(EvidenceRules())
NOTE = "<system-reminder>\nKeep it short.\n</system-reminder>"


def human(text: str) -> str:
    return HARNESS.read(text).text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("What is a tort?", "What is a tort?"),
        ("  What is a tort?\n", "  What is a tort?\n"),
        (NOTE, ""),
        (f" \n{NOTE}\n ", ""),
        (f"{NOTE}\nWhat is a tort?", "What is a tort?"),
        (f"What is a tort?\n{NOTE}\n", "What is a tort?"),
        (f"What is{NOTE}a tort?", "What is\na tort?"),
        (f"What is {NOTE} a tort?", "What is  a tort?"),
        (f"{NOTE}{NOTE}What is a tort?{NOTE}", "What is a tort?"),
        ('<ide_selection path="a.py" lines="1-2">x = 1</ide_selection>Why?', "Why?"),
        ("<ide_opened_file\n  path='a'\n>x</ide_opened_file>Why?", "Why?"),
        ("<ide_opened_file path='a'/>Why?", "Why?"),
        ("<ide_opened_file/>Why?", "Why?"),
        ("<permissions instructions>ask</permissions instructions>Why?", "Why?"),
        ("<task>\nProve it.\n</task>", "Prove it."),
        (
            "<task>\nProve it.\n</task>\n<environment_details>\n# Files\n</environment_details>",
            "Prove it.",
        ),
        ("<project_layout>x</project_layout><user_query>\nProve it.\n</user_query>", "Prove it."),
        (
            "<command-message>review</command-message>\n<command-name>/review</command-name>\n"
            "<command-args>the parser</command-args>",
            "the parser",
        ),
        ("<command-name>/clear</command-name>\n  <command-args></command-args>", ""),
    ],
)
def test_what_a_harness_wrote_is_left_out(text: str, kept: str) -> None:
    assert human(text) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"<system-reminder>a {NOTE} b</system-reminder>Why?", "Why?"),
        ("<system-reminder>the <system-reminder> tag</system-reminder>Why?", "Why?"),
        ("<system-reminder>the `</system-reminder>` tag</system-reminder>Why?", "Why?"),
        (f"<environment_context>{NOTE}</environment_context>Why?", "Why?"),
        ("<system-reminder>a<environment_context>b</system-reminder>Why?", "Why?"),
        ("a</system-reminder> Why?", "a</system-reminder> Why?"),
    ],
)
def test_blocks_may_hold_blocks(text: str, kept: str) -> None:
    assert human(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "What does the <system-reminder> tag do?",
        "What does `<system-reminder>` do, and `</system-reminder>`?",
        "Why `<system-reminder>x</system-reminder>` here?",
        "<system-reminder>\nnever closed",
        "<System-Reminder>case counts</System-Reminder>",
        "<system-reminders>another name</system-reminders>",
        "<system-reminder x <b>no tag</system-reminder>",
        "Put it into <answer></answer> tags.",
        "a <task>b</task> c",
        "1 < 2 <",
        "[1, 2] Result: none",
        "### Task:\nWrite a parser.",
        "<conversation>nobody speaks</conversation>",
        "[note for 'x'] Result: fine",
        "[draft_one] Results are in.",
        "```python\nx = 1\n```\nWhy?",
        "```src/a.py\nnever closed",
        "Why?\n```src/a.py\nx\n```\n",
    ],
)
def test_what_only_looks_like_a_harness_is_text(text: str) -> None:
    assert HARNESS.read(text) == Human(text)


def test_a_block_in_a_code_fence_is_a_block() -> None:
    assert human(f"```\n{NOTE}\n```\nWhy is this sent?") == "```\n\n```\nWhy is this sent?"


def test_a_mention_in_front_of_a_block_stays() -> None:
    text = f"What does <system-reminder> mean?\n{NOTE}"
    assert human(text) == "What does <system-reminder> mean?"


@pytest.mark.parametrize(
    "text",
    [
        "# AGENTS.md instructions for /srv/app\n\nUse tabs.",
        "# AGENTS.md instructions for /srv/app\n\n<INSTRUCTIONS>\nUse tabs.\n</INSTRUCTIONS>",
        "I have *added these files to the chat* so you can go ahead.\n\na.py\n```\nx\n```",
        "Here are summaries of some files present in my git repository.\n\na.py:\n|def f",
        "[Request interrupted by user]",
        "[Request interrupted by user for tool use]",
        "The following deferred tools are now available:\nWebFetch",
        "[read_file for 'src/a.py'] Result:\n<task> x = 1",
        "[execute_command for 'echo [a] Result: b'] Result:\nb",
        "[execute_command for 'cat <<E\n[a]\nE'] Result:\nb",
        "[new_task in Code mode: 'a'], Result:\nb",
        "```src/a.py\nx\n```\n\n````md docs/b.md (1-2)\n```\nx\n````",
        "Called the Read tool with the following input: {}\nResult of calling it:\n1",
        "Your task is to create a detailed summary of the conversation so far, with all files.",
        "[TASK RESUMPTION] It was 3 days ago.\n\nGo on.",
    ],
)
def test_a_text_can_be_wholly_harness(text: str) -> None:
    read = HARNESS.read(text)
    assert read.text == ""
    assert read.skipped[0].start == 0
    assert read.skipped[-1].end == len(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("# AGENTS.md instructions for /a\n\n<INSTRUCTIONS>x</INSTRUCTIONS>\nWhy?", "Why?"),
        ("[Request interrupted by user]\nDo it in Go.", "Do it in Go."),
        ("[write_to_file for 'a'] Result:\nDenied.\n<feedback>\nUse Go.\n</feedback>", "Use Go."),
        ("[ask_followup_question for 'x'] Result:\n<answer>\nGo.\n</answer>", "Go."),
        ("```src/a.py\nx\n```\nWhy?", "Why?"),
        ("[TASK RESUMPTION] x\n<user_message>\nUse Go.\n</user_message>", "Use Go."),
        ("Why?\n\n# *SEARCH/REPLACE block* Rules:\n\nEvery block...", "Why?"),
    ],
)
def test_human_words_beside_a_harness_stay(text: str, kept: str) -> None:
    assert human(text) == kept


def test_what_was_skipped_is_told_with_its_place() -> None:
    text = f"{NOTE}Why?<env>x</env>"
    told = [(text[each.start : each.end], each.why) for each in HARNESS.read(text).skipped]
    assert told == [(NOTE, "<system-reminder>"), ("<env>x</env>", "<env>")]


def test_lists_in_the_document_replace_the_defaults() -> None:
    mine = Harness.of(
        EvidenceRules(
            harness_blocks=("<notes>", "INJECTED", "[stop]", "\n-- rules"),
            templates=(HumanTemplate(name="t", starts=("Rate:",), markers=("Text=",)),),
        )
    )
    assert mine.read("<notes a='1'>x</notes>Why?").text == "Why?"
    assert mine.read("INJECTED by us").text == ""
    assert mine.read("[stop] Why?").text == "Why?"
    assert mine.read("Why?\n-- rules\nmany").text == "Why?"
    assert mine.read("Rate: Text=a\nText= b c\nd").text == "b c"
    assert mine.read(NOTE).text == NOTE
    assert Harness.of(EvidenceRules(harness_blocks=(), templates=())).read(NOTE).text == NOTE


_PIECES = st.sampled_from(
    [
        "<system-reminder>",
        "</system-reminder>",
        "<system-reminder a='b'>",
        "<env/>",
        "<env",
        " x='1'>",
        "<file>",
        "</file>",
        "<task>",
        "</task>",
        "<chat_history>",
        "</chat_history>",
        "\nUSER: ",
        "\nASSISTANT: ",
        "`",
        "<",
        ">",
        "/",
        " ",
        "\n",
        "Why?",
        "tort",
        "# AGENTS.md instructions for /x",
        "[Request interrupted by user]",
        "[Request interrupted by user for tool use]",
        "[read_file for 'a'] Result:",
        "Called the Read tool with the following input: ",
        "[read_file for 'a\n",
        "'], Result:",
        "```src/a.py\n",
        "\n```\n",
        "### Task:",
        "</context>",
        "Context information is below",
        "\nQuery: ",
        "\n# TODO LIST RECOMMENDED",
        "<INSTRUCTIONS>",
        "</INSTRUCTIONS>",
    ]
)
_TEXTS = st.lists(st.one_of(_PIECES, st.text(max_size=3)), max_size=12).map("".join)


@settings(max_examples=150, deadline=None)
@given(_TEXTS)
@example("[Request interrupted by user]  Why?")
@example("# AGENTS.md instructions for /x\n<INSTRUCTIONS>a</INSTRUCTIONS>Why?")
@example("a\n<task>b\n# TODO LIST RECOMMENDED")
@example("  <system-reminder>a</system-reminder> b ")
@example("<chat_history>USER: a</chat_history>b")
def test_what_is_kept_of_a_beginning_begins_what_is_kept_of_every_continuation(text: str) -> None:
    whole = HARNESS.read(text).text
    before = ""
    for cut in range(len(text) + 1):
        kept = HARNESS.read(text[:cut], more=True).text
        assert kept.startswith(before), cut
        assert whole.startswith(kept), cut
        before = kept


@settings(max_examples=150, deadline=None)
@given(_TEXTS)
def test_every_character_is_kept_or_skipped_and_none_twice(text: str) -> None:
    read = HARNESS.read(text)
    at = 0
    for each in read.skipped:
        assert at <= each.start < each.end <= len(text)
        at = each.end
    spoken = "".join(read.text.split())
    skipped = {at for each in read.skipped for at in range(each.start, each.end)}
    rest = "".join(char for at, char in enumerate(text) if at not in skipped)
    assert spoken == "".join(rest.split())


def test_an_early_text_is_read_as_far_as_it_is_settled() -> None:
    read = HARNESS.read("Why is <b>x</b> so?\n<system-reminder>y", more=True)
    assert read.text == "Why is <b>x</b> so?"
    assert HARNESS.read("Why is it so", more=True).text == "Why is it so"


class _Counted(str):
    """A text that counts how many characters are looked at in slices and searches."""

    __slots__ = ("looked",)
    looked: int

    def __getitem__(self, key: SupportsIndex | slice[Any, Any, Any]) -> str:
        found = super().__getitem__(key)
        self.looked += len(found)
        return found

    def find(self, sub: str, start: Any = 0, end: Any = None, /) -> int:
        found = super().find(sub, start, end)
        self.looked += (found if found >= 0 else end or len(self)) - start
        return found


def _steps(text: str, *, more: bool) -> int:
    """Lines run and characters looked at, which no machine's speed changes."""
    counted = _Counted(text)
    counted.looked = 0
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace if "evidence" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        HARNESS.read(counted, more=more)
    finally:
        sys.settrace(before)
    return lines + counted.looked


@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize(
    "unit",
    [
        "<",
        "<system-reminder>",
        "\n<system-reminder>",
        "</system-reminder>",
        "<system-reminder></system-reminder>",
        "<system-reminder><system-reminder></system-reminder>",
        "<chat_history>\n",
        "<chat_history></chat_history>",
        "<task>",
        "\n <task>",
        " ",
        "[Request interrupted by user]",
        "# AGENTS.md instructions<INSTRUCTIONS></INSTRUCTIONS>",
        "### Task:\nUSER:",
        "Context information is below\nQuery:",
        "<env ",
        "\n# TODO LIST RECOMMENDED",
        "a<system-reminder>`",
        "```a.py\n```\n",
        "```a.py\n",
        "[read_file for ",
    ],
)
def test_the_work_grows_with_the_text_and_not_with_its_square(unit: str, more: bool) -> None:
    small = _steps(unit * 100, more=more)
    assert _steps(unit * 200, more=more) <= 2.2 * small + 400


@pytest.mark.parametrize("size", [100, 200])
def test_nested_blocks_cost_one_pass(size: int) -> None:
    for name in ("system-reminder", "chat_history"):
        text = f"<{name}>" * size + f"</{name}>" * size
        assert _steps(text, more=False) <= 200 * size


def test_a_hundred_thousand_openings_and_a_megabyte_of_brackets_are_text() -> None:
    text = "x <system-reminder>" * 100_000
    assert human(text) == text
    assert HARNESS.read("<" * 1_000_000).text == "<" * 1_000_000
    assert HARNESS.read(text, more=True).text == "x"
    fence = "`" * 1_000_000 + " a.py\n"
    assert human(fence) == fence


def test_the_last_text_that_is_not_wholly_harness_decides() -> None:
    assert deciding(HARNESS, [NOTE, "Why?", NOTE]) == (1, Human("Why?"))
    assert deciding(HARNESS, ["What?", "Why?", " "]) == (1, Human("Why?"))
    assert deciding(HARNESS, [NOTE]) is None
    assert deciding(HARNESS, []) is None


def test_the_first_text_of_an_early_message_is_the_first_human_one() -> None:
    assert opening(HARNESS, [NOTE, "What?", "Why?"]) == (1, Human("What?"))
    assert opening(HARNESS, [NOTE, "What? <system-rem"], more=True) == (1, Human("What?"))
    assert opening(HARNESS, [NOTE, "<env>"], more=True) is None


def test_behind_a_line_that_announces_a_result_comes_the_result() -> None:
    texts = ["Fix it.", "[read_file for 'a.py'] Result:", "def tort(): ...", "<env>x</env>"]
    assert deciding(HARNESS, texts) == (0, Human("Fix it."))
    fed_back = ["[write_to_file for 'a'] Result:", "Denied.\n<feedback>\nUse Go.\n</feedback>"]
    assert [each.text for each in readings(HARNESS, fed_back)] == ["", "Use Go."]
    attached = ["Why?", 'Called the Read tool with the following input: {"a":1}', "1: x = 1"]
    assert deciding(HARNESS, attached) == (0, Human("Why?"))
    assert [each.text for each in readings(HARNESS, attached[1:], more=True)] == ["", ""]


def test_a_conversation_is_its_human_turns() -> None:
    messages = [[NOTE], [NOTE, "What is a tort?"], [NOTE], ["And in Scots law?", NOTE], [NOTE]]
    assert [(turn.message, turn.human) for turn in turns(HARNESS, messages)] == [
        (1, "What is a tort?"),
        (3, "And in Scots law?"),
    ]


def test_where_no_human_is_left_the_last_message_counts_as_it_came() -> None:
    (turn,) = turns(HARNESS, [["<env>a</env>"], [NOTE, " "], [""]])
    assert (turn.message, turn.human) == (1, NOTE)
    assert turns(HARNESS, [[], [" "]]) == ()
