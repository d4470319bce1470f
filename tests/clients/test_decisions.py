"""Whole requests of clients, through the wire and the machine: the human's words are what is asked.

The classifier is a stand-in that tells what it was asked, so that no model is needed.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from clients.shapes import PATHS, SMALL, Client, Coding, Sent, compact, packed, post
from clients.table import CLIENTS
from clients.uncommon import UNCOMMON
from playbook import PLAIN, label_scores, policy_of
from product.play import Request, play

from srd.classify.api import Ask, Scores
from srd.decide.decision import Basis, Decision

QUESTION = "Is a spoken promise a contract if nobody else heard it?"
POLICY = policy_of(
    PLAIN.replace(
        "early_decision: {budget_bytes: 2000, max_held_bytes: 20000}",
        "early_decision: {memo: {enabled: false}}",
    )
)
SIZES = replace(SMALL, picture=90_000)
CODINGS: tuple[Coding, ...] = ("gzip", "zstd", "br")


def decided(sent: Sent, mode: str, chunk: int) -> tuple[Decision, list[str]]:
    """The decision, and the main texts that were asked about."""
    asked: list[str] = []

    def scorer(ask: Ask) -> Scores:
        asked.append(ask.text)
        return label_scores("law" if QUESTION.startswith(ask.text[:30]) else "math", 0.97, ask)

    body = sent.body
    headers = (*sent.headers, ("content-length", str(len(body))))
    run = play(
        POLICY,
        Request(
            mode=mode,
            dialect="envoy",
            path=sent.path,
            headers=tuple((name, value.encode()) for name, value in headers),
            pieces=[body]
            if mode == "buffered"
            else [body[at : at + chunk] for at in range(0, len(body), chunk)],
            scorer=scorer,
        ),
    )
    assert run.error is None
    return run.decided[0].decision, asked


@pytest.mark.parametrize("each", [*CLIENTS, *UNCOMMON], ids=repr)
def test_the_human_decides_in_every_mode_and_packed(each: Client) -> None:
    plain = each.request(QUESTION, loop=2 if each.agent else 0, sizes=SIZES)
    packs = "content-encoding" not in dict(plain.headers)
    coding = CODINGS[len(each.name) % 3]
    found = []
    for sent, mode, chunk in (
        (plain, "duplex", 16_384),
        (packed(plain, coding) if packs else plain, "duplex", 997),
        (plain, "buffered", 0),
    ):
        decision, asked = decided(sent, mode, chunk)
        assert decision.category == "law"
        assert asked[-1].startswith(QUESTION)
        found.append((decision.basis, decision.label_confidence, asked))
    assert found[0] == found[1] == found[2]
    assert found[0][0] in {Basis.COMPLETE, Basis.EARLY}


@pytest.mark.parametrize("each", UNCOMMON[:4], ids=repr)
def test_a_request_in_single_bytes_is_decided_alike(each: Client) -> None:
    sent = each.request(QUESTION, sizes=replace(SMALL, notes=300, system=100))
    assert decided(sent, "duplex", 1)[1] == decided(sent, "duplex", 100_000)[1] == [QUESTION]


@pytest.mark.parametrize("inside", [-300, -1, 0, 1, 3, 7, 30, 54, 55, 56, 57, 60, 400])
@pytest.mark.parametrize("mode", ["duplex", "buffered"])
def test_a_question_around_the_budget_is_read_to_its_end(inside: int, mode: str) -> None:
    """So many bytes of it stand within the budget: none of its pieces speaks for it."""

    def body(notes: int) -> bytes:
        reminder = f"<system-reminder>{'n' * notes}</system-reminder>"
        content = [{"type": "text", "text": reminder}, {"type": "text", "text": QUESTION}]
        answer = {"role": "assistant", "content": "a" * 900}
        said = {"role": "user", "content": "commit it"}
        messages = [{"role": "user", "content": content}, answer, said]
        return compact({"model": "auto", "messages": messages})

    budget = POLICY.early.budget_bytes
    notes = budget - inside - body(0).index(QUESTION.encode())
    sent = post(PATHS["messages"], body(notes))
    decision, asked = decided(sent, mode, 1000)
    assert asked == [QUESTION]
    assert decision.basis is Basis.EARLY
