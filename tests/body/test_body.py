"""The facade, and the promise of the whole package: not one corrupted byte."""

from __future__ import annotations

import itertools
import json
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.body.body import Api, Body, BodyError, ModelSeen
from srd.body.rewrite import NO_REWRITE, Rewrite, SystemPrompt

AUTO = frozenset({"auto"})
MODEL = Rewrite(model="math-expert", replaceable=AUTO)


def halves(data):
    return [[data[:at], data[at:]] for at in range(len(data) + 1)]


def pairs(data):
    return json.loads(data.decode("utf-8-sig", "replace"), object_pairs_hook=lambda found: found)


def single_bytes(data):
    return [data[at : at + 1] for at in range(len(data))] or [b""]


# -- splitting


def test_evidence_and_errors_do_not_depend_on_where_a_body_is_split(case, sender):
    whole, error = sender.read(case, [case.data])
    assert (error is None) is case.valid
    expected = sender.evidence(whole)
    for pieces in [*halves(case.data), single_bytes(case.data)]:
        body, again = sender.read(case, pieces)
        assert again == error
        assert sender.evidence(body) == expected


def test_output_does_not_depend_on_where_a_body_is_split_or_committed(case, sender, rewrites):
    splits = halves(case.data)
    for turn, rewrite in enumerate(rewrites.values()):
        expected = sender.send(case, [case.data], rewrite, 0)
        assert sender.send(case, single_bytes(case.data), rewrite, 0) == expected
        # Every split point, each with two of the rewrites in turn.
        for pieces in splits[turn % 6 :: 6]:
            assert sender.send(case, pieces, rewrite, 0) == expected
            assert sender.send(case, pieces, rewrite, 1) == expected


@pytest.mark.slow
def test_output_never_depends_on_the_split_for_any_rewrite(case, sender, rewrites):
    for rewrite in rewrites.values():
        expected = sender.send(case, [case.data], rewrite, 0)
        for pieces in halves(case.data):
            for commit in (0, 1):
                assert sender.send(case, pieces, rewrite, commit) == expected


def test_tail_output_does_not_depend_on_where_a_body_is_split(case, sender, rewrites):
    for turn, rewrite in enumerate(rewrites.values()):
        expected, whole = sender.tail(case, [case.data], rewrite)
        for pieces in [*halves(case.data)[turn % 6 :: 6], single_bytes(case.data)]:
            out, body = sender.tail(case, pieces, rewrite)
            assert (out, body.broken) == (expected, whole.broken)


def test_a_commit_at_the_end_gives_the_same_bytes_as_one_at_the_start(valid_case, sender, rewrites):
    for rewrite in rewrites.values():
        early, _ = sender.sent(valid_case, [valid_case.data], rewrite, 0)
        late = sender.send(valid_case, single_bytes(valid_case.data), rewrite, len(valid_case.data))
        assert late == early


# -- not one corrupted byte


def test_without_a_rewrite_every_body_passes_unchanged(case, sender):
    for pieces in halves(case.data):
        for commit in (0, 1, 2):
            assert sender.send(case, pieces, NO_REWRITE, commit) == case.data


def test_a_rewrite_that_matches_nothing_changes_no_byte(valid_case, sender):
    nothing = Rewrite(
        drop=frozenset({"absent"}),
        cap={"absent": 1},
        merge={"absent": {"x": None}},
        keep_only=None,
    )
    for pieces in halves(valid_case.data):
        assert sender.send(valid_case, pieces, nothing, 0) == valid_case.data


def test_an_invalid_body_loses_nothing_after_a_commit(invalid_case, sender):
    out, body = sender.sent(invalid_case, [invalid_case.data], MODEL, 0)
    model = rb',?"model":"(auto|math-expert)"'
    assert re.sub(model, b"", out) == re.sub(model, b"", invalid_case.data)
    assert body.held == 0


@pytest.mark.parametrize("place", ["key", "begin", "end", "token", "comma", "close", "pressure"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_fault_while_splicing_delivers_every_byte(place, count, monkeypatch):
    from srd.body.edits import Edits

    data = b'{"a":[1],"model":"auto","messages":[{"role":"user","content":"x"}],"b":{"c":2}}'
    calls = 0
    healthy = getattr(Edits, place)

    def faulty(self, *arguments):
        nonlocal calls
        calls += 1
        if calls == count:
            raise RuntimeError("injected")
        return healthy(self, *arguments)

    for size in (1, 7, 100):
        calls = 0
        monkeypatch.setattr(Edits, place, faulty)
        body = Body(Api.CHAT)
        out = body.commit(Rewrite(model="m", replaceable=AUTO, system_prompt=PROMPT))
        for at in range(0, len(data), size):
            out += body.feed(data[at : at + size], end=at + size >= len(data))
        assert undo(out) == data
        assert body.held == 0
        assert (calls >= count) == (body.broken == "RuntimeError while splicing")


PROMPT = SystemPrompt("Be brief.", "replace")


def undo(out):
    """What `out` was before the model and the prompt were edited, if nothing else was."""
    message = b'{"role":"system","content":"Be brief."},'
    return out.replace(b'"model":"m"', b'"model":"auto"').replace(message, b"")


def test_a_fault_while_reading_after_a_commit_costs_no_edit(monkeypatch):
    from srd.body.reader import PromptReader

    body = Body(Api.CHAT)
    out = body.commit(MODEL)
    monkeypatch.setattr(PromptReader, "begin", lambda *_: 1 / 0)
    out += body.feed(b'{"model":"auto"}', end=True)
    assert out == b'{"model":"math-expert"}'
    assert body.broken == ""


def test_a_rewrite_that_cannot_be_planned_costs_no_byte():
    body = Body(Api.CHAT)
    body.feed(b'{"model":"auto"}', end=True)
    assert body.commit(Rewrite(drop=frozenset({7}))) == b'{"model":"auto"}'  # type: ignore[arg-type]
    assert body.broken == "AttributeError while planning edits"


# -- random bodies and splits

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["auto", "system", "user", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "model", "x"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
MEMBERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "model",
                "messages",
                "user",
                "seed",
                "stream",
                "n",
                "max_tokens",
                "metadata",
                "tools",
                "chat_template_kwargs",
                "reasoning_effort",
                "x",
                "é",
            ]
        ),
        VALUES,
    ),
    max_size=7,
)


def spell(members, separators, *, ascii_only):
    """A body with possibly repeated names."""
    comma, colon = separators
    parts = [
        json.dumps(name, ensure_ascii=ascii_only)
        + colon
        + json.dumps(value, ensure_ascii=ascii_only, separators=(comma, colon))
        for name, value in members
    ]
    return ("{" + comma.join(parts) + "}").encode("utf-8", "surrogatepass")


@given(
    members=MEMBERS,
    separators=st.sampled_from([(",", ":"), (", ", ": "), ("\n,\t", " :\r\n")]),
    ascii_only=st.booleans(),
    cuts=st.lists(st.integers(0, 400), max_size=6),
    choice=st.integers(0, 11),
    commit=st.integers(0, 6),
)
def test_random_bodies_give_the_same_bytes_however_they_are_cut(
    sender, rewrites, members, separators, ascii_only, cuts, choice, commit
):
    data = spell(members, separators, ascii_only=ascii_only)
    rewrite = list(rewrites.values())[choice]
    case = type("Case", (), {"api": "chat"})
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    commit = min(commit, len(pieces) - 1)
    expected = sender.send(case, [data], rewrite, 0)
    assert sender.send(case, pieces, rewrite, commit) == expected
    json.loads(expected)
    whole, split = sender.read(case, [data])[0], sender.read(case, pieces)[0]
    assert sender.evidence(split) == sender.evidence(whole)


def test_a_large_body_gives_the_same_bytes_however_it_is_cut(sender):
    words = random.Random(7)
    text = "".join(words.choice('abc é😀"\\\n\t ') for _ in range(20000))
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": text[:500]}] * 4
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"a": [text[:300]]}}}] * 9
    document = {"stream": True, "tools": tools, "messages": messages, "user": text, "model": "auto"}
    data = json.dumps(document).encode()
    case = type("Case", (), {"api": "chat"})
    rewrite = Rewrite(model="m", replaceable=AUTO, drop=frozenset({"user", "stream"}))
    expected = sender.send(case, [data], rewrite, 0)
    document["model"] = "m"
    del document["user"], document["stream"]
    assert json.loads(expected) == document
    evidence = sender.evidence(sender.read(case, [data])[0])
    for largest in (3000, 70000, 200000):
        pieces, at = [], 0
        while at < len(data):
            size = words.randint(1, largest)
            pieces.append(data[at : at + size])
            at += size
        assert sender.send(case, pieces, rewrite, words.randrange(len(pieces))) == expected
        assert sender.evidence(sender.read(case, pieces)[0]) == evidence


# -- the facade's contract


def test_nothing_leaves_before_a_commit_and_all_is_held():
    body = Body(Api.CHAT)
    assert body.feed(b'{"model":"auto"') == b""
    assert body.held == body.bytes_read == 15
    assert body.length_delta is None
    assert body.commit(MODEL) == b'{"model":"math-expert"'
    assert body.held == 0
    assert body.feed(b"}", end=True) == b"}"
    assert body.length_delta == len("math-expert") - len("auto")
    assert body.ended


def test_a_passed_body_is_not_read_any_more():
    body = Body(Api.CHAT)
    body.feed(b'{"a":')
    assert body.passthrough() == b'{"a":'
    assert body.feed(b"this is not JSON", end=True) == b"this is not JSON"
    assert (body.length_delta, body.held, body.broken) == (0, 0, "")


def test_a_broken_body_can_still_be_passed(invalid_case, sender):
    body, error = sender.read(invalid_case, [invalid_case.data])
    assert error is not None
    assert body.passthrough() == invalid_case.data


def test_the_length_is_not_certain_while_a_duplicate_may_come():
    body = Body(Api.CHAT)
    body.commit(MODEL)
    body.feed(b'{"model":"auto","a":1')
    assert body.length_delta is None
    body.feed(b',"model":"auto"}', end=True)
    assert body.length_delta == 14


def test_an_explicit_model_after_the_commit_stays_and_cancels_what_is_pending():
    rewrite = Rewrite(model="m", replaceable=AUTO, drop=frozenset({"b"}), set_members={"c": b"1"})
    body = Body(Api.CHAT)
    out = body.commit(rewrite)
    out += body.feed(b'{"b":1,"a":2,"model":"gpt-4o","b":3,"c":4}', end=True)
    assert out == b'{"a":2,"model":"gpt-4o","b":3,"c":4}'
    assert body.explicit_model_seen
    assert body.broken == ""


def test_a_second_commit_changes_nothing():
    body = Body(Api.CHAT)
    body.feed(b'{"model":"auto"}', end=True)
    assert body.commit(MODEL) == b'{"model":"math-expert"}'
    assert body.commit(MODEL) == b""
    assert body.commit_tail(MODEL) == b""


def test_a_body_names_its_model_its_place_and_its_kind():
    body = Body(Api.CHAT)
    body.feed(b'{ "model": "auto"')
    assert body.model == ModelSeen("auto", 11)
    other = Body(Api.CHAT)
    other.feed(b'{"model":{')
    assert other.model == ModelSeen(None, 9)


def test_a_body_that_breaks_before_a_commit_names_the_byte():
    body = Body(Api.CHAT)
    body.feed(b'{"model":"auto",')
    with pytest.raises(BodyError, match="expected a key at byte 17") as caught:
        body.feed(b" ]")
    assert (caught.value.offset, caught.value.problem) == (17, "expected a key")


def test_a_body_says_what_it_is():
    body = Body(Api.CHAT)
    body.feed(b'{"model"')
    assert repr(body) == "<Body chat open read=8 held=8>"
    body.commit(MODEL)
    assert repr(body) == "<Body chat committed read=8 held=0>"
    body.feed(b"!")
    assert repr(body) == "<Body chat expected a colon at byte 8 read=9 held=0>"


# -- tail mode


def test_tail_mode_drops_the_model_and_writes_the_chosen_one_before_the_last_brace():
    body = Body(Api.CHAT)
    out = body.commit_tail(MODEL)
    out += body.feed(b'{ "model" : "auto", "messages":[]\n}\r\n', end=True)
    assert out == b'{ "messages":[]\n'.replace(b"{ ", b"{  ")
    assert body.held == 3
    assert body.settle_tail(MODEL) == b',"model":"math-expert"}\r\n'
    assert body.held == 0
    assert body.length_delta is not None


def test_tail_mode_reads_evidence_to_the_end():
    body = Body(Api.CHAT)
    body.commit_tail(MODEL)
    body.feed(b'{"messages":[{"role":"user","content":"a"}')
    body.feed(b',{"role":"user","content":"b"}]}', end=True)
    assert body.prompt.last_user == "b"
    assert body.facts.messages == 2


def test_tail_mode_leaves_an_explicit_model_alone(sender):
    data = b'{"a":1,"model":"gpt-4o","user":1}'
    case = type("Case", (), {"api": "chat"})
    out, body = sender.tail(case, [data], MODEL)
    assert out == data
    assert body.explicit_model_seen


def test_tail_mode_does_not_repeat_members_that_passed(sender):
    body = Body(Api.CHAT)
    out = body.commit_tail(MODEL) + body.feed(b'{"stream":false,"model":"auto"}', end=True)
    out += body.settle_tail(
        Rewrite(
            model="m",
            set_members={"stream": b"true", "stream_options": b"{}"},
            merge={"chat_template_kwargs": {"x": b"1", "y": None}},
        )
    )
    assert out == (
        b'{"stream":false,"model":"m","stream_options":{},"chat_template_kwargs":{"x":1}}'
    )


def test_tail_mode_may_be_settled_before_the_end():
    body = Body(Api.CHAT)
    out = body.commit_tail(MODEL) + body.feed(b'{"model":"auto","a":1')
    out += body.settle_tail(MODEL)
    out += body.feed(b',"model":"auto"}', end=True)
    assert out == b'{"a":1,"model":"math-expert"}'


def test_tail_mode_echoes_a_broken_body(invalid_case, sender):
    out, body = sender.tail(invalid_case, [invalid_case.data], MODEL)
    assert body.broken
    model = rb'"model":"auto",?'
    assert re.sub(model, b"", out) == re.sub(model, b"", invalid_case.data)


def test_a_tail_is_settled_only_once_and_only_in_tail_mode():
    body = Body(Api.CHAT)
    assert body.settle_tail(MODEL) == b""
    body.commit_tail(MODEL)
    body.feed(b"{}", end=True)
    assert body.settle_tail(MODEL) == b'"model":"math-expert"}'
    assert body.settle_tail(MODEL) == b""
