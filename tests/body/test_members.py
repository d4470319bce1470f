"""Members and their commas: in first, middle, last and only position, with any space around."""

from __future__ import annotations

import itertools
import json

import pytest

from srd.body.body import Api, Body
from srd.body.edits import LIMIT, SLACK
from srd.body.members import encode_name, member, new_object
from srd.body.rewrite import Rewrite


def send(data, rewrite, *, chunk=None, tail=False):
    body = Body(Api.CHAT)
    out = body.commit_tail(rewrite) if tail else body.commit(rewrite).data
    size = chunk or max(1, len(data))
    for at in range(0, max(1, len(data)), size):
        out += body.flow(data[at : at + size], end=at + size >= len(data))
    if tail:
        out += body.settle_tail(rewrite)
    assert body.broken == ""
    assert body.held == 0
    return out


# -- dropping


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"x":1}', b"{}"),
        (b'{ "x" : 1 }', b"{  }"),
        (b'{"x":1,"a":2}', b'{"a":2}'),
        (b'{"x":1, "a":2}', b'{ "a":2}'),
        (b'{"a":1,"x":2}', b'{"a":1}'),
        (b'{"a":1 , "x":2 }', b'{"a":1  }'),
        (b'{"a":1,"x":2,"b":3}', b'{"a":1,"b":3}'),
        (b'{"x":1,"x":2,"x":3}', b"{}"),
        (b'{"x":1,"a":2,"x":3,"b":4,"x":5}', b'{"a":2,"b":4}'),
        (b'{"x":{"x":[1,"}"]},"a":{"x":1}}', b'{"a":{"x":1}}'),
        (rb'{"\u0078":1,"a":2}', b'{"a":2}'),
        (b"{}", b"{}"),
    ],
)
def test_a_dropped_member_takes_one_comma_along(data, expected):
    for chunk in (1, 2, 3, 100):
        assert send(data, Rewrite(drop=frozenset({"x"})), chunk=chunk) == expected


def test_any_choice_of_members_can_be_dropped_from_any_object():
    for count in range(5):
        for names in itertools.product("xa", repeat=count):
            for comma in (",", " ,\n"):
                members = [f'"{name}":{index}' for index, name in enumerate(names)]
                data = "{" + comma.join(members) + "}"
                kept = [pair for pair in zip(names, range(count), strict=True) if pair[0] == "a"]
                out = send(data.encode(), Rewrite(drop=frozenset({"x"})), chunk=1)
                assert json.loads(out, object_pairs_hook=lambda found: found) == kept


def test_only_the_listed_members_stay():
    keep = Rewrite(keep_only=frozenset({"a", "b"}))
    long = b'"' + b"k" * 300 + b'":1'
    assert send(b'{"x":1,"a":2,"y":3,"b":4,' + long + b"}", keep) == b'{"a":2,"b":4}'
    assert send(b"{" + long + b"}", keep, chunk=7) == b"{}"


# -- inserting


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"{}", b'{"n":1}'),
        (b"{ }", b'{ "n":1}'),
        (b'{"a":1}', b'{"a":1,"n":1}'),
        (b'{"x":1}', b'{"n":1}'),
        (b'{"a":1,"x":2\n}', b'{"a":1\n,"n":1}'),
        (b'{"n":2,"n":[3]}', b'{"n":1,"n":1}'),
    ],
)
def test_an_absent_member_is_inserted_before_the_last_brace(data, expected):
    rewrite = Rewrite(drop=frozenset({"x"}), set_members={"n": b"1"})
    for chunk in (1, 100):
        assert send(data, rewrite, chunk=chunk) == expected


# -- replacing, capping, merging


@pytest.mark.parametrize(
    "value", [b"1", b'"s"', b"null", b"[1,{}]", b'{"n":2}', b"-1.5e3", b"true"]
)
def test_a_value_of_any_kind_is_replaced(value):
    data = b'{"n" : ' + value + b' ,"a":' + value + b"}"
    expected = b'{"n" : [] ,"a":' + value + b"}"
    for chunk in (1, 100):
        assert send(data, Rewrite(set_members={"n": b"[]"}), chunk=chunk) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"10", b"10"),
        (b"11", b"10"),
        (b"1e2", b"10"),
        (b"1E-2", b"1E-2"),
        (b"-99", b"-99"),
        (b"-0", b"-0"),
        (b"1e999999", b"10"),
        (b"10.0", b"10.0"),
        (b"9" * 100, b"10"),
        (b"0." + b"0" * 100 + b"1", b"0." + b"0" * 100 + b"1"),
        (b"9" * 9000, b"10"),
        (b'"99"', b'"99"'),
        (b"null", b"null"),
        (b"[99]", b"[99]"),
        (b"true", b"true"),
    ],
)
def test_only_numbers_above_the_cap_are_lowered(value, expected):
    for chunk in (1, 7, 100_000):
        out = send(b'{"n":' + value + b',"m":99}', Rewrite(cap={"n": 10}), chunk=chunk)
        assert out == b'{"n":' + expected + b',"m":99}'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"{}", b'{"on":true}'),
        (b'{"on":false}', b'{"on":true}'),
        (b'{"off":1}', b'{"on":true}'),
        (b'{"off":1,"a":2}', b'{"a":2,"on":true}'),
        (b'{"a":2,"off":{"on":1}}', b'{"a":2,"on":true}'),
        (b'{"on":1,"on":2,"off":3,"off":4}', b'{"on":true,"on":true}'),
        (b'{"a":{"on":1}}', b'{"a":{"on":1},"on":true}'),
        (b"null", b'{"on":true}'),
        (b'"x"', b'{"on":true}'),
        (b"[]", b'{"on":true}'),
    ],
)
def test_members_of_an_object_are_merged(value, expected):
    rewrite = Rewrite(merge={"k": {"on": b"true", "off": None}})
    for chunk in (1, 100):
        assert send(b'{"k":' + value + b',"z":1}', rewrite, chunk=chunk) == (
            b'{"k":' + expected + b',"z":1}'
        )


def test_a_merge_that_only_removes_leaves_what_is_no_object_alone():
    rewrite = Rewrite(merge={"k": {"off": None}})
    for data in (b'{"k":null}', b"{}", b'{"k":"off"}', b'{"k":{"a":1}}'):
        assert send(data, rewrite) == data


# -- models


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"model":"auto","model":"auto"}', b'{"model":"m","model":"m"}'),
        (b'{"model":"auto","model":"other"}', b'{"model":"m","model":"m"}'),
        (b'{"model":"auto","model":[1]}', b'{"model":"m","model":"m"}'),
        (b'{"model":null,"model":"auto"}', b'{"model":"m","model":"m"}'),
        (b'{"model":"other","model":"auto"}', b'{"model":"m","model":"m"}'),
        (rb'{"model":"\u006d","model":"m"}', rb'{"model":"\u006d","model":"m"}'),
        (b'{"model":"m","model":" m"}', b'{"model":"m","model":"m"}'),
        (b'{"model":12}', b'{"model":"m"}'),
        (b'{"model":[{"a":"}"}],"a":1}', b'{"model":"m","a":1}'),
        (rb'{"model":"au\u0074o"}', b'{"model":"m"}'),
        (b'{"model":"M"}', b'{"model":"m"}'),
        (b'{"Model":"auto"}', b'{"Model":"auto","model":"m"}'),
    ],
)
def test_parsers_that_take_the_first_model_and_those_that_take_the_last_agree(data, expected):
    for chunk in (1, 2, 3, 100):
        assert send(data, Rewrite(model="m"), chunk=chunk) == expected


@pytest.mark.parametrize("data", [b'{"model":7,"a":1}', b'{"model":"x","model":null}', b"{}"])
def test_without_a_name_models_are_left_alone(data):
    assert send(data, Rewrite(), chunk=1) == data


def test_a_model_of_any_length_is_replaced():
    data = b'{"model":"' + b"x" * 200_000 + b'"}'
    for chunk in (1000, 100_000):
        assert send(data, Rewrite(model="m"), chunk=chunk) == b'{"model":"m"}'


# -- what cannot wait: everything leaves at any moment, and the document stays right

HASTY = Rewrite(
    model="m",
    drop=frozenset({"x"}),
    set_members={"s": b"[1]", "t": b"2"},
    cap={"n": 10},
    merge={"k": {"on": b"true", "off": None}},
)


def hasty(data, rewrite, cuts, *, api=Api.CHAT):
    """What leaves when everything must leave at each of the cuts."""
    body = Body(api)
    out = body.commit(rewrite).data
    at = 0
    for cut in cuts:
        out += body.flow(data[at:cut]) + body.let_go()
        assert body.held == 0
        at = cut
    return out + body.flow(data[at:], end=True), body


@pytest.mark.parametrize(
    "data",
    [
        b'{"x":1,"a":{"model":1},"x":{"y":[2]},"model":"auto","s":{"q":"}"},"x":3}',
        b'{ "n" : 7 , "k" : {"off":1,"on":2,"z":3} , "model" : "other","k":"text"}',
        b'{"k":{"off":{"a":1}},"model":"m","model":null,"n":1e3}',
        b'{"messages":[{"role":"user","content":"a","content":"b"},{"content":[1]}],"messages":7}',
    ],
)
def test_what_must_leave_at_once_is_decided_and_stays_right(data):
    plain = json.loads(send(data, HASTY))
    names = [name for name, _ in json.loads(data, object_pairs_hook=lambda found: found)]
    for first in range(len(data) + 1):
        for second in (first, first + 1, first + 5, len(data)):
            cuts = [first, max(first, min(second, len(data)))]
            out, _ = hasty(data, HASTY, cuts)
            found = json.loads(out)
            models = [v for k, v in json.loads(out, object_pairs_hook=list) if k == "model"]
            assert models, out
            assert set(models) == {"m"}
            # What could not be dropped any more is null, what could not be read is at the cap.
            if "n" in found:
                assert found.pop("n") in (plain["n"], 10)
            for name in ("x", "messages"):
                if found.get(name, 0) is None:
                    found.pop(name)
            if found.get("k", {}).get("off", 0) is None:
                del found["k"]["off"]
            for turn in found.get("messages") or ():
                if turn.get("content", 0) is None:
                    del turn["content"]
            expected = {k: v for k, v in plain.items() if k != "n"}
            for turn in expected.get("messages") or ():
                if names.count("messages") and "messages" in found:
                    turn = turn
            if "messages" in expected:
                found.pop("messages", None)
                expected = {k: v for k, v in expected.items() if k != "messages"}
            assert found == expected, (cuts, out)


# -- what goes on without us


@pytest.mark.parametrize(
    "data",
    [
        b'{"x":1,"x":[2,"}"],"a":3,"s":{"q":[1]}, "x":"4","b":5}',
        b'{ "n" : 70 , "k" : {"off":"1","z":3} , "model" : "m","k":"text"}',
        b'{"messages":[{"role":"user","content":"a","content":"b"}],"messages":7,"model":"m"}',
    ],
)
def test_what_passes_behind_a_cut_fits_to_what_left_before(data):
    for at in range(1, len(data)):
        body = Body(Api.CHAT)
        body.receive(data[:at])
        out = body.commit(HASTY).data + body.cut()
        assert body.held == 0
        json.loads(out + data[at:])


def test_a_long_member_that_is_cut_in_half_is_not_dropped():
    data = b'{"x":"' + b"z" * 3 * LIMIT + b'","a":1}'
    body = Body(Api.CHAT)
    body.receive(data[: 2 * LIMIT])
    rewrite = Rewrite(drop=frozenset({"x"}))
    assert body.commit(rewrite).data + body.cut() == data[: 2 * LIMIT]


# -- bounds: more space than anybody holds


@pytest.mark.parametrize("space", [10, LIMIT - 1, LIMIT, LIMIT + 1, LIMIT + SLACK, 3 * LIMIT])
@pytest.mark.parametrize("where", ["before the comma", "after it", "after the key", "in front"])
def test_space_of_any_length_gives_the_same_bytes_in_every_cut(space, where):
    pad = b" " * space
    data = {
        "before the comma": b'{"a":1' + pad + b',"x":2,"model":"auto","b":3}',
        "after it": b'{"a":1,' + pad + b'"x":2,' + pad + b'"model":"auto","b":3}',
        "after the key": b'{"a":1,"x"' + pad + b':2,"model"' + pad + b':"auto","b":3}',
        "in front": b"{" + pad + b'"x":1,' + pad + b'"a":2,"model":"auto"}',
    }[where]
    rewrite = Rewrite(model="m", drop=frozenset({"x"}))
    for tail in (False, True):
        out = send(data, rewrite, tail=tail)
        found = json.loads(out, object_pairs_hook=lambda pairs: pairs)
        names = [name for name, value in found if value is not None]
        assert "x" not in names
        assert [value for name, value in found if name == "model"][-1] == "m"
        for chunk in (1013, 70_001):
            assert send(data, rewrite, chunk=chunk, tail=tail) == out


@pytest.mark.parametrize("edit", ["drop", "set", "merge", "keep_only"])
def test_a_member_of_any_size_is_let_go_of_as_it_passes(edit):
    rewrite = {
        "drop": Rewrite(drop=frozenset({"x"})),
        "set": Rewrite(set_members={"x": b"1"}),
        "merge": Rewrite(merge={"x": {"y": b"1"}}),
        "keep_only": Rewrite(keep_only=frozenset({"a", "b"})),
    }[edit]
    value = b'["' + b"z" * 500_000 + b'",{"a":1}]'
    data = b'{"a":1,"x":' + value + b',"b":2}'
    body = Body(Api.CHAT)
    out = body.commit(rewrite).data
    most = 0
    for at in range(0, len(data), 8000):
        out += body.flow(data[at : at + 8000], end=at + 8000 >= len(data))
        most = max(most, body.held)
    assert out == send(data, rewrite)
    assert most <= LIMIT + 8000
    expected = {"a": 1, "b": 2}
    if edit == "set":
        expected["x"] = 1
    if edit == "merge":
        expected["x"] = {"y": 1}
    assert json.loads(out) == expected


# -- spelling


def test_names_and_values_are_spelled_as_json():
    assert member('a"é', b"1") == '"a\\"é":1'.encode()
    assert member(b"a", b"{}") == b'"a":{}'
    assert new_object({"a": b"1", "b": None, "c": b"2"}) == b'{"a":1,"c":2}'
    assert new_object({"b": None}) is None
    assert encode_name("é") == "é".encode()
