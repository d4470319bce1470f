from __future__ import annotations

import json

import pytest
from clients.reading import user_messages
from clients.shapes import PATHS, SMALL, Client
from clients.table import AGENTS, CLIENTS, client

from srd.config.globals import EvidenceRules
from srd.evidence.human import Harness, opening, turns

HARNESS = Harness.of(EvidenceRules())
TALK = (
    "Is a spoken promise a contract?",
    "And if nobody heard it?\nMy neighbour asks.",
    "yes, <b>both</b>",
    "Then what does a court do?",
)
SAID = [turn.strip() for turn in TALK]


def decides(sent_by: Client, count: int, **asked: int) -> list[str]:
    sent = sent_by.request(*TALK[:count], sizes=SMALL, **asked)
    return [turn.human.strip() for turn in turns(HARNESS, user_messages(sent))]


@pytest.mark.parametrize("each", CLIENTS, ids=repr)
@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_last_human_words_decide_whatever_a_client_puts_around_them(
    each: Client, count: int
) -> None:
    assert decides(each, count)[-1] == SAID[count - 1]


@pytest.mark.parametrize("each", [each for each in CLIENTS if not each.helper], ids=repr)
def test_all_human_turns_are_found_and_nothing_else(each: Client) -> None:
    assert decides(each, 4) == SAID


@pytest.mark.parametrize("each", AGENTS, ids=repr)
def test_a_tool_loop_adds_no_human_turn(each: Client) -> None:
    assert decides(each, 2, loop=3) == SAID[:2]


@pytest.mark.parametrize("each", [each for each in CLIENTS if not each.helper], ids=repr)
def test_an_early_look_finds_the_first_human_words(each: Client) -> None:
    found = [
        opening(HARNESS, texts, more=True)
        for texts in user_messages(each.request(*TALK, sizes=SMALL))
    ]
    if each.name in {"codex, ide", "open webui rag"}:
        return  # the words stand in a template or behind tags, settled when the text ends
    first = next(human for human in found if human is not None)
    assert SAID[0].startswith(first[1].text[:20])


@pytest.mark.parametrize("each", CLIENTS, ids=repr)
def test_a_request_is_json_for_its_api_and_the_same_for_the_same_seed(each: Client) -> None:
    sent = each.request(*TALK, loop=1, sizes=SMALL)
    assert sent.path.partition("?")[0] == PATHS[each.api]
    body = json.loads(sent.plain)
    assert body["model"] == "auto"
    assert ("input" if each.api == "responses" else "messages") in body
    assert sent == each.request(*TALK, loop=1, sizes=SMALL)
    other = each.request(*TALK, loop=1, sizes=SMALL, seed=1)
    bare = {"openai responses", "openai python", "openai node", "open webui", "curl"}
    assert other.body != sent.body or each.name in bare


@pytest.mark.parametrize("each", AGENTS, ids=repr)
def test_a_loop_ends_with_a_tools_result(each: Client) -> None:
    body = json.loads(each.request(TALK[0], loop=2, sizes=SMALL).plain)
    last = (body["input"] if each.api == "responses" else body["messages"])[-1]
    assert "user" not in last.get("role", "") or "result" in json.dumps(last).lower()
    assert TALK[0] not in json.dumps(last)


def test_agents_send_what_agents_send_in_size_and_order() -> None:
    code = client("claude code").request(*TALK[:1])
    assert 67_000 <= len(code.body) <= 300_000
    assert list(json.loads(code.body))[:4] == ["model", "messages", "system", "tools"]
    codex = client("codex").request(*TALK[:1])
    assert 30_000 <= len(codex.body) <= 300_000
    assert list(json.loads(codex.body))[:3] == ["model", "instructions", "input"]
    python = json.loads(client("openai python").request(*TALK).body)
    assert list(python) == ["messages", "model"]
    assert len(client("picture, chat").request(TALK[0]).body) > 1_500_000


def test_turns_of_a_vendors_own_model_carry_its_signatures() -> None:
    plain = client("claude code").request(*TALK, sizes=SMALL).plain
    assert plain.count(b'"signature":"') == len(TALK) - 1
    sealed = client("codex").request(*TALK, loop=1, sizes=SMALL).plain
    assert sealed.count(b'"encrypted_content":"') == len(TALK)


def test_packed_bodies_are_packed() -> None:
    for name, coding in (("claude code, gzip", "gzip"), ("codex, zstd", "zstd")):
        sent = client(name).request(*TALK, sizes=SMALL)
        assert dict(sent.headers)["content-encoding"] == coding
        assert len(sent.body) < len(sent.plain)
        bare = client(name.partition(",")[0]).request(*TALK, sizes=SMALL)
        assert sent.plain == bare.body
