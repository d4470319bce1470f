"""What a decision says it was made on: places in the body that hold just what counted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from playbook import PLAIN, Playbook, body, headers, label_scores, policy_of

from srd.decide.decision import Basis, Decision
from srd.decide.memo import Memo
from srd.evidence.account import Account, line
from srd.exchange.events import BodyMode
from srd.signals.base import Origin

COLD = policy_of(PLAIN.replace("budget_bytes", "memo: {enabled: false}, budget_bytes"))
DROPS = policy_of(PLAIN.replace("  router:\n", "  router:\n    conversation_hold: {pins: drop}\n"))
BLOCKS = policy_of(
    PLAIN.replace(
        "modelRefs: [{model: base-model, lora_name: general-expert, use_reasoning: true}]",
        'plugins: [{type: fast_response, configuration: {message: "No."}}]',
    )
)
REMINDER = "<system-reminder>be brief</system-reminder>"


def decide(
    raw: bytes, about=COLD, *, path="/v1/chat/completions", piece: int = 1 << 20, **more
) -> Decision:
    play = Playbook(about, **more)
    play >> headers(path)
    play.take()
    for at in range(0, len(raw), piece):
        play >> body(raw[at : at + piece], end=at + piece >= len(raw))
        play.take()
    return play.decision.decision


def account_of(raw: bytes, *more, **options) -> Account:
    found = decide(raw, *more, **options).account
    assert found is not None
    return found


def chat(*turns: object, **members: object) -> bytes:
    messages = []
    for turn in turns:
        messages += [{"role": "user", "content": turn}, {"role": "assistant", "content": "so"}]
    return json.dumps({"model": "auto", "messages": messages, **members}).encode()


def text_at(raw: bytes, start: int, end: int) -> str:
    return raw[start:end].decode()


def test_a_complete_decision_says_which_bytes_and_what_of_them_was_skipped():
    raw = chat("a contract", [{"type": "text", "text": REMINDER},
                              {"type": "text", "text": REMINDER + "the derivative"}])  # fmt: skip
    found = account_of(raw)
    (text,) = found.texts
    assert text_at(raw, text.start, text.end) == REMINDER + "the derivative"
    assert text.characters == len("the derivative")
    ((skipped),) = text.skipped
    assert (skipped.start, skipped.end, skipped.why) == (0, len(REMINDER), "<system-reminder>")
    assert not found.early


def test_the_turns_stand_with_their_places_and_labels():
    raw = chat("what does a contract bind", "why", "say it with the derivative of x")
    found = account_of(raw)
    assert [text_at(raw, t.start, t.end) for t in found.turns] == [
        "what does a contract bind",
        "why",
        "say it with the derivative of x",
    ]
    assert [turn.place for turn in found.turns] == [0, 2, 4]
    assert [turn.label for turn in found.turns] == ["law", "", "math"]
    assert found.turns[0].confidence == pytest.approx(0.97)
    assert (found.turn, found.held) == (3, "")
    assert line(found) == "turn 3 of 3: math .97"


def test_what_holds_is_told_with_what_the_last_turn_said():
    raw = chat("what does a contract bind", "the weather is nice today")
    found = account_of(raw)
    assert (found.decides, found.turn) == (0, 1)
    assert line(found) == ("turn 1 of 2; held since turn 1: law .97; turn 2 said other .60")
    (text,) = found.texts
    assert text_at(raw, text.start, text.end) == "the weather is nice today"


def test_where_no_turn_names_a_subject_the_first_holds_and_says_so():
    found = account_of(chat("hello", "go on"))
    assert found.decides == 0
    assert found.held == "held since turn 1: no turn names a subject"


@pytest.mark.parametrize("piece", [1 << 20, 700])
def test_an_early_decision_has_its_text_with_place_and_skipped_blocks(piece):
    human = "the derivative " * 400
    raw = chat(REMINDER + human, pad="p")
    decision = decide(raw, piece=piece)
    assert decision.basis is Basis.EARLY
    found = decision.account
    assert found.early
    (text,) = found.texts
    assert raw[text.start :].decode().startswith(REMINDER + "the derivative")
    assert 0 < text.characters < len(human)
    assert [each.why for each in text.skipped] == ["<system-reminder>"]
    assert (text.place, found.turn) == (0, 1)
    assert line(found) == f"the first {text.characters} characters of turn 1"


def test_a_block_behind_what_was_read_is_not_among_what_was_skipped():
    found = account_of(chat("the derivative " * 300 + REMINDER))
    assert found.early
    assert found.texts[0].skipped == ()


def test_a_remembered_decision_tells_places_of_this_body():
    short = policy_of(PLAIN.replace("budget_bytes", "max_tokens: 64, budget_bytes"))
    warm = replace(short, memo=Memo())
    one = chat("the derivative " * 400)
    other = json.dumps({"user": "x" * 90, **json.loads(one)}).encode()
    assert decide(one, warm).basis is Basis.EARLY
    again = decide(other, warm)
    assert again.basis is Basis.MEMO
    (text,) = again.account.texts
    assert other[text.start :].startswith(b"the derivative")
    assert again.account == account_of(other, replace(short, memo=None))


def test_a_beginning_without_a_human_says_that_all_of_it_counts():
    block = "<system-reminder>" + "notes " * 5000
    found = account_of(chat(block), piece=1000)
    assert found.early
    assert found.unfiltered
    assert "; nothing in it is a human's; " in line(found)


def test_what_the_classifier_did_not_read_is_counted():
    found = account_of(chat("the derivative " * 80 + "x " * 900), policy_of(
        PLAIN.replace("budget_bytes: 2000", "max_tokens: 64, budget_bytes: 200000")
    ))  # fmt: skip
    assert found.unread > 0


SIGNED = [
    {"role": "user", "content": "what does a contract bind"},
    {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": "c2ln"}]},
    {"role": "user", "content": "say it with the derivative of x"},
]


def signed() -> bytes:
    return json.dumps({"model": "auto", "messages": SIGNED}).encode()


def test_state_of_a_model_pins_and_what_follows_it_does_not_count():
    found = account_of(signed(), path="/v1/messages")
    assert line(found) == "turn 1 of 1; pinned by thinking, 1 later user messages do not count"
    assert found.texts[0].place == 0


def test_where_state_is_dropped_nothing_is_pinned():
    found = account_of(signed(), DROPS, path="/v1/messages")
    assert (found.pinned, found.behind, len(found.turns)) == ("", 0, 2)


def test_a_conversation_whose_turns_the_backend_keeps_is_pinned_to_nobody_knows_what():
    raw = json.dumps({"model": "auto", "input": "a contract", "previous_response_id": "r1"})
    found = account_of(raw.encode(), path="/v1/responses")
    assert found.pin_unknown
    assert not account_of(raw.replace('"r1"', "null").encode(), path="/v1/responses").pin_unknown


def test_where_a_rule_blocks_it_is_counted_whose_texts_it_could_read():
    found = account_of(chat("a contract", "the derivative", "go on"), BLOCKS)
    assert dict(found.inspected)[Origin.PRIOR] == 2
    assert dict(found.inspected)[Origin.LAST] == 1
    assert account_of(chat("a contract")).inspected == ()


@pytest.mark.parametrize("mode", [BodyMode.BUFFERED, BodyMode.FULL_DUPLEX_STREAMED])
def test_no_account_holds_a_prompts_words(mode):
    raw = chat("CANARY-1 a contract", REMINDER.replace("be", "CANARY-2") + "CANARY-3 derivative")
    assert "CANARY" not in repr(decide(raw, mode=mode).account)
    fields = account_of(raw, mode=mode)
    assert "CANARY" not in str((fields.texts, fields.turns, fields.held))


def test_a_client_that_named_its_model_was_decided_on_no_text():
    raw = chat("a contract").replace(b'"auto"', b'"law-expert"')
    assert decide(raw, scorer=lambda ask: label_scores("law", ask=ask)).account is None
