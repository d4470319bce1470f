# ruff: noqa: E501 - a prompt, one line
from __future__ import annotations

import pytest

from srd.config.globals import EvidenceRules, HumanTemplate
from srd.evidence.human import Harness
from srd.evidence.templates import HARNESS_BLOCKS, TEMPLATES, Span, Template, last_said, quoted

HARNESS = Harness.of(EvidenceRules())
ASKED = "Is a spoken promise a contract?"
TALK = f"USER: What is a leaf?\nASSISTANT: An organ.\nUSER: {ASKED}\nASSISTANT: It can be.\n"
PASSAGES = "Leaves are green.\nQuestionable: is grass?\n\n---\nRoots are not."


@pytest.mark.parametrize(
    "text",
    [
        # Open WebUI
        f"### Task:\nName this chat.\n### Chat History:\n<chat_history>\n{TALK}</chat_history>",
        f"### Task:\nTag it.\n\n### Chat History:\n<chat_history>\nUSER: {ASKED}\n</chat_history>",
        f"### Task:\nCite.\n\n<context>\n{PASSAGES}\n</context>\n\n<user_query>\n{ASKED}\n</user_query>",
        f"### Task:\nCite.\n\n<context>\n{PASSAGES}\n</context>\n\n{ASKED}",
        f"### Task: Cite.\n<context><source id='1'>{PASSAGES}</source></context>\n{ASKED}",
        "### Task:\nYou are an autocompletion system. Go on.\n<chat_history>\nUSER: a\n"
        f"</chat_history>\n<type>General</type>\n<text>{ASKED}</text>\n#### Output:\n",
        f"Your task is to reflect the speaker's likely facial expression.\n\nMessage: ```{ASKED}```",
        # LibreChat
        "Provide a concise, 5-word-or-less title for the conversation, in title case.\n\n"
        f"Conversation:\nUser: {ASKED}\nAI: It can be.",
        f"Analyze this conversation and provide:\n1. The language\n\nUser: {ASKED}\nAI: It can be.",
        # LangChain
        "Use the following pieces of context to answer the question at the end. Do not guess.\n\n"
        f"{PASSAGES}\n\nQuestion: {ASKED}\nHelpful Answer:",
        f"Answer the question based only on the following context:\n{PASSAGES}\n\nQuestion: {ASKED}\n",
        "You are an assistant for question-answering tasks. Be short.\n"
        f"Question: {ASKED} \nContext: {PASSAGES} \nAnswer:",
        "Use the following pieces of context to answer the question at the end.\n\n"
        f"        {PASSAGES}\n\n        Question: {ASKED}\n        Answer:",
        "Given the following conversation and a follow up question, make it stand alone.\n\n"
        "Chat History:\nHuman: What is a leaf?\nAssistant: An organ.\n"
        f"Follow Up Input: {ASKED}\nStandalone question:",
        "Answer the following questions as best you can. There are tools.\n\nQuestion: what to answer\n"
        f"Thought: think\n\nBegin!\n\nQuestion: {ASKED}\nThought: I look.\nAction: search",
        # Haystack
        f"Given the following information, answer the question.\n\nContext:\n    {PASSAGES}\n\n"
        f"Question: {ASKED}\nAnswer:",
        # LlamaIndex
        f"Context information is below.\n----\n{PASSAGES}\n----\nUse it alone.\nQuery: {ASKED}\nAnswer: ",
        f"Context information is below. \n----\n{PASSAGES}\n----\nSo answer the question: {ASKED}\n",
        f"Context information from multiple sources is below.\n{PASSAGES}\nQuery: {ASKED}\nAnswer: ",
        f"The original query is as follows: {ASKED}\nWe have provided an existing answer: No.\n"
        f"------\n{PASSAGES}\n------\nRefined Answer: ",
        "You are an expert Q&A system that strictly operates in two modes when refining:\n"
        f"New Context: {PASSAGES}\nQuery: {ASKED}\nOriginal Answer: No.\nNew Answer: ",
        "Given a conversation (between Human and Assistant) and a message, rewrite it.\n\n"
        f"<Chat History>\nuser: a\n\n<Follow Up Message>\n{ASKED}\n\n<Standalone question>\n",
        # agents
        f"Please write a 5-10 word title for the following conversation:\n\n{ASKED}\n\nClaude: Yes.",
        f"# Context from my IDE setup:\n\n## Open tabs:\n- a.py\n\n## My request for Codex:\n{ASKED}",
        f"# Files mentioned by the user:\n\n## a.png: /a.png\n\n## My request for Codex:\n{ASKED}\n",
        "The user denied this operation and provided the following feedback:\n"
        f"<feedback>\n{ASKED}\n</feedback>",
    ],
)
def test_a_prompt_that_quotes_a_human_is_decided_as_what_he_said_last(text: str) -> None:
    assert HARNESS.read(text).text == ASKED
    assert HARNESS.read(text, more=True).text == ""


def test_a_question_of_several_lines_is_kept_whole() -> None:
    text = f"Context information is below.\n{PASSAGES}\nQuery: Is it?\n\nSay why.\nAnswer: "
    assert HARNESS.read(text).text == "Is it?\n\nSay why."


def test_a_template_that_quotes_nobody_is_a_text() -> None:
    text = "Use the following pieces of context to answer the riddle: it is green."
    assert HARNESS.read(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\n\nSum it up.",
        "You are performing a CONTEXT CHECKPOINT COMPACTION. Hand over.",
        "[SUGGESTION MODE: what would be typed next]",
    ],
)
def test_a_prompt_about_the_whole_conversation_is_nobodys(text: str) -> None:
    assert HARNESS.read(text).text == ""


def test_of_a_quoted_conversation_without_a_known_template_the_last_human_line_stays() -> None:
    text = f"Find a name for this.\n<chat_history>\n{TALK}</chat_history>\n"
    assert HARNESS.read(text).text == f"Find a name for this.\n{ASKED}"


def test_passages_behind_a_question_are_left_out() -> None:
    text = f"{ASKED}\n\nContext information is below, surrounded by ---\n\n---\n{PASSAGES}\n---"
    assert HARNESS.read(text).text == ASKED


def test_a_block_inside_a_quoted_line_is_left_out() -> None:
    text = f"Context information is below.\nx\nQuery: {ASKED}\n<env>x</env>\nAnswer:"
    assert HARNESS.read(text).text == ASKED


def test_without_ends_a_quotation_ends_with_its_line() -> None:
    mine = Template.of(HumanTemplate(name="t", starts=("Rate",), markers=("Text:",)))
    text = "Rate Text: a\nText: b \nc"
    assert mine.quote(text, 0) == Span(text.index("b"), text.index("b") + 1)
    assert mine.quote("Rate it", 0) is None
    assert mine.quote("Rate Text: \n", 0) is None


def test_a_marker_with_a_line_break_stands_at_the_beginning_of_a_line() -> None:
    mine = Template.of(
        HumanTemplate(name="t", starts=("R",), markers=("\nText:",), ends=("\nEnd",))
    )
    text = "R\n  Text: a Text: b End\n End"
    span = mine.quote(text, 0)
    assert span is not None
    assert text[span.start : span.end] == "a Text: b End"


def test_the_last_human_of_a_conversation_is_found_whoever_speaks_last() -> None:
    for text in (TALK, f"Human: {ASKED}", f"AI: a\nUser: {ASKED}\nUser: \nAI: b"):
        span = last_said(f"<t>{text}</t>", 3, 3 + len(text))
        assert span is not None
        assert f"<t>{text}</t>"[span.start : span.end] == ASKED
    assert last_said("AI: nobody asked", 0, 16) is None


def test_only_tags_that_begin_a_line_pass_on_a_humans_words() -> None:
    text = "Result\n<feedback>\na\n</feedback>\n  <feedback>b</feedback>"
    span = quoted(text, 0)
    assert span is not None
    assert text[span.start : span.end] == "a"
    assert quoted("x <answer>a</answer>", 0) is None


def test_the_defaults_are_a_document_that_could_be_written() -> None:
    assert len(set(HARNESS_BLOCKS)) == len(HARNESS_BLOCKS)
    assert all(entry == entry.rstrip() for entry in HARNESS_BLOCKS)
    written = EvidenceRules(harness_blocks=HARNESS_BLOCKS, templates=TEMPLATES)
    assert Harness.of(written) == HARNESS
