"""The facade, and the promise of the whole package: not one corrupted byte."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import random
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srd.body.body import Api, Body, BodyError, BodyNotes, Leaving, ModelSeen, Unsendable
from srd.body.rewrite import NO_REWRITE, Rewrite, SystemPrompt

MODEL = Rewrite(model="math-expert")


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


def test_what_is_passed_through_leaves_as_it_came(case, sender):
    for pieces in halves(case.data):
        body = sender.open(case)
        body.receive(pieces[0])
        assert body.passthrough() + body.flow(pieces[1], end=True) == case.data
        assert (body.length_delta, body.held, body.ended) == (0, 0, True)


def test_without_a_rewrite_a_body_without_repeats_is_unchanged(valid_case, sender):
    if sender.chat().notes == sender.read(valid_case, [valid_case.data])[0].notes:
        for pieces in halves(valid_case.data):
            for commit in (0, 1, 2):
                assert sender.send(valid_case, pieces, NO_REWRITE, commit) == valid_case.data


def test_a_rewrite_that_matches_nothing_changes_no_more_byte(valid_case, sender):
    nothing = Rewrite(
        drop=frozenset({"absent"}),
        cap={"absent": 1},
        merge={"absent": {"x": None}},
        keep_only=None,
    )
    expected = sender.send(valid_case, [valid_case.data], NO_REWRITE, 0)
    for pieces in halves(valid_case.data):
        assert sender.send(valid_case, pieces, nothing, 0) == expected


def test_an_invalid_body_loses_nothing_after_a_commit(invalid_case, sender):
    out, body = sender.sent(invalid_case, [invalid_case.data], MODEL, 0)
    model = rb',?"model":"(auto|math-expert)"'
    assert re.sub(model, b"", out) == re.sub(model, b"", invalid_case.data)
    assert body.held == 0


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
    rewrite = Rewrite(model="m", drop=frozenset({"user", "stream"}))
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


def opened(data, *, end=False, read=True, **options):
    body = Body(options.pop("api", Api.CHAT), **options)
    body.receive(data, end=end)
    if read:
        body.read()
    return body


def test_nothing_leaves_before_a_commit_and_all_is_held():
    body = opened(b'{"model":"auto"')
    assert body.held == body.bytes_read == body.received == 15
    assert body.length_delta is None
    assert body.commit(MODEL) == Leaving(b'{"model":"math-expert"', True, True, False)
    assert body.held == 0
    assert body.flow(b"}", end=True) == b"}"
    assert body.length_delta == len("math-expert") - len("auto")
    assert body.ended
    assert body.bytes_read == body.received == 16


def test_receiving_looks_at_nothing():
    body = opened(b"no JSON", read=False)
    assert (body.bytes_read, body.received, body.drained) == (0, 7, False)
    with pytest.raises(BodyError):
        body.read()


def test_a_body_is_read_up_to_an_offset_and_no_further():
    data = b'{"model":"auto","n":1}'
    body = opened(data, read=False, end=True)
    body.read(3)
    assert (body.bytes_read, body.model, body.drained) == (3, None, False)
    body.read(15)
    assert (body.bytes_read, body.model) == (15, ModelSeen("auto", 9, 15, True))
    body.read(15)
    body.read(4)
    assert body.bytes_read == 15
    body.read(len(data))
    assert body.drained
    assert body.ended


def test_what_cannot_be_read_says_so_each_time_and_can_still_be_passed(invalid_case, sender):
    body, error = sender.read(invalid_case, [invalid_case.data])
    with pytest.raises(BodyError) as caught:
        body.read()
    assert (caught.value.offset, caught.value.problem) == error
    assert body.held == len(invalid_case.data)
    assert body.passthrough() == invalid_case.data


def test_a_body_that_breaks_before_a_commit_names_the_byte():
    body = opened(b'{"model":"auto",')
    body.receive(b" ]")
    with pytest.raises(BodyError, match="expected a key at byte 17") as caught:
        body.read()
    assert (caught.value.offset, caught.value.problem) == (17, "expected a key")


def test_a_passed_body_is_not_read_any_more():
    body = opened(b'{"a":')
    assert body.passthrough() == b'{"a":'
    assert body.flow(b"this is not JSON", end=True) == b"this is not JSON"
    body.read()
    assert (body.length_delta, body.held, body.broken) == (0, 0, "")


def test_a_discarded_body_is_read_on_and_not_held():
    body = opened(b'{"model":"auto","messages":[')
    body.receive(b'],"stream"')
    body.discard()
    assert body.held == 10
    body.read()
    assert body.held == 0
    body.receive(b":true}", end=True)
    body.read()
    assert body.params == {"stream": True}
    assert (body.ended, body.drained, body.held) == (True, True, 0)
    with pytest.raises(RuntimeError):
        body.commit(MODEL)
    with pytest.raises(RuntimeError):
        body.passthrough()


def test_the_length_is_not_certain_while_a_duplicate_may_come():
    body = Body(Api.CHAT)
    body.commit(MODEL)
    body.flow(b'{"model":"auto","a":1')
    assert body.length_delta is None
    body.flow(b',"model":"auto"}', end=True)
    assert body.length_delta == 14


def test_a_whole_body_that_needs_no_edit_leaves_as_it_came():
    data = b'{"model":"math-expert"}'
    body = opened(data, end=True)
    assert body.commit(MODEL) == Leaving(data, True, False, True)
    assert body.length_delta == 0


def test_a_piece_that_needs_no_edit_is_not_copied():
    body = Body(Api.CHAT)
    body.commit(MODEL)
    body.flow(b'{"model":"math-expert","messages":[{"role":"user","content":"')
    piece = b"x" * 65536
    assert body.flow(piece) is piece


def test_how_a_body_leaves_is_settled_once():
    body = opened(b'{"model":"auto"}', end=True)
    assert body.commit(MODEL).data == b'{"model":"math-expert"}'
    for again in (body.commit, body.commit_tail):
        with pytest.raises(RuntimeError):
            again(MODEL)
    for again in (body.passthrough, body.discard):
        with pytest.raises(RuntimeError):
            again()


def test_nothing_flows_before_it_is_settled_how():
    for call in (lambda body: body.flow(b""), lambda body: body.let_go(), lambda body: body.cut()):
        with pytest.raises(RuntimeError):
            call(Body(Api.CHAT))


def test_a_commit_that_raised_changed_nothing():
    body = opened(b'{"model":"auto"}', end=True)
    with pytest.raises(AttributeError):
        body.commit(Rewrite(drop=frozenset({7})))  # type: ignore[arg-type]
    assert body.held == 16
    assert body.commit(MODEL).data == b'{"model":"math-expert"}'


# -- faults

FAULTY = (
    b'{"a":1,"x":2,"model":"auto","messages":[{"content":"c","role":"user","content":1}],"z":3,'
    b'"messages":[4]}'
)
EVERYTHING = Rewrite(
    model="m", drop=frozenset({"x"}), system_prompt=SystemPrompt("Be brief.", "replace")
)


class Sabotage:
    """Raises MemoryError at the n-th line that runs in the body's own modules."""

    def __init__(self, nth):
        self.left = nth
        self.struck = False

    def __call__(self, frame, event, argument):
        if "/srd/body/" not in frame.f_code.co_filename:
            return None
        if event == "line" and not self.struck:
            self.left -= 1
            if self.left == 0:
                self.struck = True
                raise MemoryError("injected")
        return self

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self)

    def __exit__(self, *error):
        sys.settrace(self.before)


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_commit_may_fail_in_any_statement_and_be_repeated(coding):
    data = gzip.compress(FAULTY) if coding else FAULTY
    whole = opened(data, coding=coding, end=True)
    expected = whole.commit(EVERYTHING)
    nth = 0
    struck = True
    while struck:
        nth += 1
        body = opened(data, coding=coding, end=True)
        sabotage = Sabotage(nth)
        with contextlib.suppress(MemoryError), sabotage:
            body.commit(EVERYTHING)
        struck = sabotage.struck
        if struck:
            assert body.held == len(data)
            assert body.commit(EVERYTHING) == expected
    assert nth > 200


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize("plain", [False, True])
def test_behind_a_fault_in_any_statement_nothing_leaves_any_more(coding, plain):
    data = gzip.compress(FAULTY) if coding else FAULTY
    pieces = [data[at : at + 60] for at in range(0, len(data), 60)]
    rewrite = EVERYTHING if plain else NO_REWRITE
    nth, faults, struck = 0, 0, True
    while struck:
        nth += 1
        body = Body(Api.CHAT, coding=coding)
        body.commit(rewrite)
        sabotage = Sabotage(nth)
        try:
            for index, piece in enumerate(pieces):
                with sabotage:
                    body.flow(piece, end=index == len(pieces) - 1)
        except Unsendable:
            assert not struck or not plain  # a packed body that would need an edit
        except MemoryError:
            faults += 1
            # A fault in a call's first statement is its caller's to see.
            if body._failed:
                with pytest.raises(Unsendable):
                    body.flow(b"")
        struck = sabotage.struck
    assert faults > 100


def test_a_fault_while_reading_is_no_fault_of_the_commit(monkeypatch):
    from srd.body.reader import PromptReader

    body = opened(b'{"model":"auto"', read=False)
    with monkeypatch.context() as patch:
        patch.setattr(PromptReader, "begin", lambda *_: 1 / 0)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                body.read()
    assert body.commit(MODEL).data + body.flow(b"}", end=True) == b'{"model":"math-expert"}'


# -- notes


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'{"a":1,"model":"gpt-4o"}', "gpt-4o"),
        (b'{"a":1,"model":"gpt-4o","model":"other"}', "gpt-4o"),
        (b'{"a":1,"model":"math-expert","model":"other"}', None),
        (b'{"a":1,"model":" "}', None),
        (b'{"a":1,"model":null}', None),
        (b'{"a":1,"model":["x"]}', None),
        (b'{"a":1}', None),
        (b'{"a":1,"model":"' + b"x" * 9000 + b'"}', "…"),
    ],
)
def test_a_name_in_whose_place_another_leaves_is_noted_for_every_cut(data, name):
    for at in range(min(len(data), 60)):
        body = opened(data[:at])
        out = body.commit(MODEL).data + body.flow(data[at:], end=True)
        assert body.notes.replaced_model == name
        assert set(re.findall(rb'"model":"([^"]*)"', out)) == {b"math-expert"}


def test_notes_are_there_at_any_time():
    data = b'{"model":"a","model":"b","messages":[{"role":"user","content":1,"content":2}]}'
    body = Body(Api.CHAT)
    assert body.notes == BodyNotes()
    body.receive(data)
    body.read()
    assert body.notes.duplicates == ("model", "content")
    body.commit(Rewrite(model="m", system_prompt=SystemPrompt("s", "insert")))
    assert body.notes == BodyNotes("a", ("model", "content"), False)


def test_a_body_names_its_model_its_place_and_its_kind():
    assert opened(b'{ "model": "auto"').model == ModelSeen("auto", 11, 17, True)
    assert opened(b'{"model":{').model == ModelSeen(None, 9, 10, False)


def test_a_body_says_what_it_is():
    body = opened(b'{"model"')
    assert repr(body) == "<Body chat open read=8 held=8>"
    body.commit(MODEL)
    assert repr(body) == "<Body chat spliced read=8 held=0>"
    body.flow(b"!")
    assert repr(body) == "<Body chat expected a colon at byte 8 read=9 held=0>"
    gone = opened(b"{", coding="identity")
    gone.discard()
    assert repr(gone) == "<Body chat discarded read=1 held=0>"


def test_an_unknown_coding_is_refused():
    with pytest.raises(ValueError, match="unknown content-encoding"):
        Body(Api.CHAT, coding="lzma")


# -- tail mode


def test_tail_mode_drops_the_model_and_writes_the_chosen_one_before_the_last_brace():
    body = Body(Api.CHAT)
    out = body.commit_tail(NO_REWRITE)
    out += body.flow(b'{ "model" : "auto", "messages":[]\n}\r\n', end=True)
    assert out == b'{  "messages":[]\n'
    assert body.held == 3
    assert body.settle_tail(MODEL) == b',"model":"math-expert"}\r\n'
    assert body.held == 0
    assert body.length_delta is not None


def test_tail_mode_reads_evidence_to_the_end():
    body = opened(b'{"messages":[{"role":"user",', read=False)
    body.commit_tail(NO_REWRITE)
    body.flow(b'"content":"a"}')
    body.flow(b',{"role":"user","content":"b"}]}', end=True)
    assert body.prompt.last_user == "b"
    assert body.facts.messages == 2


@pytest.mark.parametrize("value", [b'"gpt-\\u0034o"', b"null", b"12"])
def test_without_a_name_the_first_model_comes_back_at_the_end(value, sender):
    data = b'{"model":' + value + b',"a":1,"model":"x"}'
    case = type("Case", (), {"api": "chat"})
    for pieces in halves(data):
        out, _ = sender.tail(case, pieces, NO_REWRITE)
        assert out == b'{"a":1,"model":' + value + b"}"


def test_tail_mode_does_not_repeat_members_that_passed(sender):
    body = Body(Api.CHAT)
    out = body.commit_tail(NO_REWRITE) + body.flow(b'{"stream":false,"model":"auto"}', end=True)
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
    out = body.commit_tail(NO_REWRITE) + body.flow(b'{"model":"auto","a":1')
    out += body.settle_tail(MODEL)
    out += body.flow(b',"model":"auto"}', end=True)
    assert out == b'{"a":1,"model":"math-expert"}'


def test_tail_mode_echoes_a_broken_body(invalid_case, sender):
    for pieces in halves(invalid_case.data):
        out, body = sender.tail(invalid_case, pieces, MODEL)
        assert body.broken
        model = rb'"model":"auto",?'
        assert re.sub(model, b"", out) == re.sub(model, b"", invalid_case.data)


def test_a_tail_is_settled_only_once_and_only_in_tail_mode():
    body = Body(Api.CHAT)
    body.commit(MODEL)
    assert body.settle_tail(MODEL) == b""
    body = Body(Api.CHAT)
    body.commit_tail(NO_REWRITE)
    body.flow(b"{}", end=True)
    assert body.settle_tail(MODEL) == b'"model":"math-expert"}'
    assert body.settle_tail(MODEL) == b""


def test_a_compressed_body_has_no_tail_mode():
    with pytest.raises(ValueError, match="compressed"):
        Body(Api.CHAT, coding="gzip").commit_tail(NO_REWRITE)


def test_a_commit_of_which_nobody_was_told_can_be_undone():
    """And what flowed since, whole or packed: the body is open as before."""
    raw = b'{"model":"auto","messages":[{"role":"user","content":"x"}]}'
    for coding, sent in (("", raw), ("gzip", gzip.compress(raw))):
        body = Body(Api.CHAT, coding=coding)
        body.receive(sent, end=True)
        body.read()
        before = body.saved()
        first = body.commit(Rewrite(model="other"))
        assert body.flow(b"") == b""
        body.restore(before)
        assert (body.held, body.ended, body.model.value) == (len(sent), True, "auto")
        second = body.commit(Rewrite(model="math-expert"))
        assert first.data == raw.replace(b"auto", b"other")
        assert second.data == raw.replace(b"auto", b"math-expert")
        with pytest.raises(RuntimeError):
            body.saved()


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_body_is_whole_by_what_came_whether_or_not_its_end_did(coding):
    raw = b'{"model":"auto"}'
    sent = gzip.compress(raw) if coding else raw
    for at in range(len(sent)):
        body = Body(Api.CHAT, coding=coding)
        body.receive(sent[:at])
        body.read()
        assert not body.whole
        body.receive(sent[at:])
        body.read()
        assert body.whole
        assert not body.ended
