"""The oracle can fail: each sentence of the promise, broken on purpose."""

from __future__ import annotations

import dataclasses
import gzip
import json
import zlib
from types import SimpleNamespace

import brotli
import pytest
from product.axes import Case
from product.changes import Stated, differences, equals, first_stays
from product.evidence import Ruled, ruled
from product.oracle import Left, Sent, judge, named
from product.tokens import items, members
from product.wires import cut, decoded, encoded
from zstandard import ZstdError

PLAIN = b'{ "model" : "auto",\n"n":1e400,"messages":[{"role":"user","content":"a contract"}] }\n'
ROUTED = PLAIN.replace(b"auto", b"law-expert")
CASE = Case(
    mode="duplex", dialect="envoy", trailers="none", encoding="", size="tiny", model="auto front",
    api="chat", cut="whole", decision="scored", topic="plain", setting="small", duplicate="none",
    shape="text",
)  # fmt: skip
MADE = SimpleNamespace(model="law-expert", name="plain", basis="complete")
SENT = Sent(PLAIN, PLAIN, "", len(PLAIN))
RIGHT = Left("clean", ROUTED, {"x-selected-model": b"law-expert"}, (MADE,))


def wrong(left=RIGHT, *, case=CASE, sent=SENT, reference=RIGHT, **changes):
    return judge(case, sent, dataclasses.replace(left, **changes), reference)


def test_what_was_decided_and_left_is_right():
    assert wrong() == []


@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        ROUTED[:-1],
        ROUTED.replace(b"1e400", b"1E400"),
        ROUTED.replace(b"a contract", b"a contrast"),
        ROUTED.replace(b'"n"', b'"\\u006e"'),
        ROUTED.replace(b" :", b":"),
        ROUTED.replace(b'"n":1e400,', b""),
        ROUTED.replace(b'"n"', b'"x":1,"n"'),
        ROUTED[:30],
        b"",
    ],
)
def test_a_byte_that_changed_unasked_is_found(body):
    assert wrong(body=body)


def test_a_header_that_says_something_else_is_found():
    assert wrong(headers={"x-selected-model": b"math-expert"})
    assert wrong(headers={})
    assert wrong(headers=dict(RIGHT.headers) | {"content-length": b"%d" % len(PLAIN)})


def test_another_decision_than_that_of_the_uncut_document_is_found():
    other = SimpleNamespace(model="law-expert", name="plain", basis="early")
    assert wrong(reference=dataclasses.replace(RIGHT, decided=(other,)))
    assert wrong(reference=Left("refused", b"", {}, (), status=400))


TURNS = [{"role": "user", "content": word} for word in ("derivative", "yes", "contract", "so")]


@pytest.mark.parametrize(
    ("turns", "behind", "name", "basis"),
    [
        (TURNS[:1], 0, "thinks", "complete"),
        (TURNS[:2], 0, "thinks", "complete"),
        (TURNS[:3], 0, "plain", "complete"),
        (TURNS, 0, "plain", "complete"),
        (TURNS, 5000, "plain", "complete"),
        ([*TURNS, {"role": "assistant", "content": "x" * 3000}], 0, "thinks", "early"),
        ([TURNS[1], {"role": "user", "content": "x" * 3000}], 0, None, "early"),
    ],
)
def test_the_rule_of_evidence_is_that_of_the_documentation(turns, behind, name, basis):
    plain = json.dumps({"model": "auto", "messages": turns, "pad": "x" * behind}).encode()
    assert ruled(CASE, plain) == Ruled(name, basis)
    guarded = dataclasses.replace(CASE, decision="guard")
    assert ruled(guarded, plain).basis == "complete"


def test_a_picture_is_not_counted():
    picture = {"type": "image_url", "image_url": {"url": "data:" + "x" * 3000}}
    content = [picture, {"type": "text", "text": "derivative"}]
    plain = json.dumps({"messages": [{"role": "user", "content": content}], "model": "m"}).encode()
    assert ruled(CASE, plain) == Ruled("thinks", "complete")
    assert named(plain, "small").counts


def test_another_decision_than_that_of_the_rule_is_found():
    sent = Sent(PLAIN, PLAIN, "", len(PLAIN))
    left = dataclasses.replace(RIGHT, body=PLAIN.replace(b"auto", b"law-expert"))
    assert judge(CASE, sent, left, left) == []
    early = SimpleNamespace(model="law-expert", name="plain", basis="early")
    assert judge(CASE, sent, dataclasses.replace(left, decided=(early,)), None)
    other = PLAIN.replace(b"contract", b"weather")
    assert judge(CASE, Sent(other, other, "", len(other)), left, None)


def test_what_passes_a_rule_that_blocks_is_found():
    guarded = dataclasses.replace(CASE, decision="guard")
    assert judge(guarded, SENT, RIGHT, None) == []
    assert judge(dataclasses.replace(guarded, decision="attack"), SENT, RIGHT, None)
    prefix = dataclasses.replace(guarded, mode="prefix")
    assert judge(prefix, SENT, RIGHT, None)
    refused = Left("refused", b"", {}, (), status=503)
    assert judge(prefix, SENT, refused, RIGHT) == []
    assert judge(guarded, SENT, refused, None)


def test_a_decision_by_the_clock_may_be_another_one_but_must_be_the_one_that_leaves():
    other = SimpleNamespace(model="base-model", name=None, basis="timeout")
    fired = {"decided": (other,), "fired": True}
    assert wrong(**fired)
    headers = {"x-selected-model": b"base-model"}
    assert not wrong(**fired, headers=headers, body=PLAIN.replace(b"auto", b"base-model"))


@pytest.mark.parametrize("ending", ["broken", "refused"])
def test_a_request_that_did_not_get_through_is_found(ending):
    assert wrong(ending=ending, status=500, why="x")


def test_bytes_that_are_still_held_and_a_second_decision_are_found():
    assert wrong(held=1)
    assert wrong(decided=(MADE, MADE))


def test_packed_bytes_behind_plain_ones_are_found():
    packed = gzip.compress(PLAIN)
    sent = Sent(PLAIN, packed, "gzip", len(packed))
    case = dataclasses.replace(CASE, encoding="gzip")
    assert wrong(case=case, sent=sent) == []
    assert wrong(case=case, sent=sent, body=ROUTED[:20] + packed[20:])
    headers = dict(RIGHT.headers) | {"content-encoding": b"gzip"}
    assert wrong(case=case, sent=sent, headers=headers)
    assert wrong(case=case, sent=sent, headers=headers, body=gzip.compress(ROUTED))


def test_a_named_body_that_is_not_edited_stays_packed_unless_it_is_said_otherwise():
    plain = PLAIN.replace(b"auto", b"law-expert")
    packed = gzip.compress(plain)
    sent = Sent(plain, packed, "gzip", len(packed))
    made = SimpleNamespace(model="law-expert", name=None, basis="explicit")
    headers = {"x-selected-model": b"law-expert"}
    inflated = dataclasses.replace(RIGHT, body=plain, headers=headers, decided=(made,))
    kept = dataclasses.replace(
        inflated, body=packed, headers=headers | {"content-encoding": b"gzip"}
    )
    case = dataclasses.replace(CASE, encoding="gzip", model="named front")
    assert judge(case, sent, kept, kept) == []
    assert judge(case, sent, inflated, inflated)
    always = dataclasses.replace(case, setting="inflate")
    assert judge(always, sent, inflated, inflated) == []
    assert judge(always, sent, kept, kept)


@pytest.mark.parametrize("last", [1999, 2000, 2001])
def test_a_name_counts_if_its_value_ends_within_the_limit(last):
    start, end = b'{"a":"', b'","model":"law-expert"'
    plain = start + b"x" * (last - len(start) - len(end)) + end + b"}"
    assert named(plain, "small").end == last
    assert named(plain, "small").counts == (last <= 2000)
    assert not named(plain, "never").counts


def test_the_first_of_two_models_is_the_one_that_counts():
    assert named(b'{"model":"auto","model":"law-expert"}', "small").value == "auto"
    assert not named(b'{"model":" auto ","model":"law-expert"}', "small").explicit


def test_a_refusal_must_have_a_reason():
    unknown = PLAIN.replace(b"auto", b"gpt-4o")
    sent = Sent(unknown, unknown, "", len(unknown))
    refused = Left("refused", b"", {}, (), status=400)
    assert judge(CASE, sent, refused, refused) == []
    assert judge(CASE, SENT, refused, refused)
    assert judge(CASE, sent, dataclasses.replace(refused, status=404), refused)


def test_a_prefix_that_does_not_show_its_model_is_not_touched():
    raw = b'{"messages":[],"model":"auto"}'
    sent = Sent(raw, raw, "", 10)
    case = dataclasses.replace(CASE, mode="prefix")
    left = Left("clean", raw, {}, ())
    assert judge(case, sent, left, None) == []
    assert judge(case, sent, dataclasses.replace(left, decided=(MADE,)), None)
    assert judge(case, sent, dataclasses.replace(left, body=raw[:-1]), None)
    assert judge(dataclasses.replace(case, decision="answer"), sent, left, None) == []
    for guards in ("guard", "attack"):
        assert judge(dataclasses.replace(case, decision=guards), sent, left, None)


def test_members_and_items_are_spans_of_the_raw_bytes():
    raw = b'\xef\xbb\xbf { "a\\u0062" : [1, "}" ,{"x":[]}], "c":-1.5e3 } '
    found = members(raw)
    assert [m.name for m in found] == ["ab", "c"]
    assert raw[found[1].value : found[1].end] == b"-1.5e3"
    spans = items(raw, found[0].value)
    assert [json.loads(raw[a:b]) for a, b in spans] == [1, "}", {"x": []}]


def test_a_member_that_must_be_there_once_is_counted():
    stated = Stated(insert={"model": equals("m")})
    assert differences(b'{"a":1}', b'{"a":1,"model":"m"}', stated) == []
    assert differences(b'{"a":1}', b'{"a":1}', stated)
    assert differences(b'{"a":1}', b'{"a":1,"model":"m","model":"m"}', stated)
    assert differences(b'{"a":1}', b'{"a":1,"model":"x"}', stated)


def test_a_member_that_goes_must_go_and_take_nothing_with_it():
    stated = Stated(drop=frozenset({"x"}), once=frozenset({"m"}))
    before = b'{"x":1, "m":[1] ,"a":2,"m":[2]}'
    assert differences(before, b'{"m":[1] ,"a":2}', stated) == []
    assert differences(before, b'{"m":[2] ,"a":2}', stated)
    assert differences(before, b'{"m":[1] }', stated)
    assert differences(before, before, stated)


def test_the_first_content_stays():
    check = first_stays("content")
    before = b'[{"content":"a","content":"b"},{"content":"c"}]'
    assert not check(before, b'[{"content":"a"},{"content":"c"}]')
    assert check(before, b'[{"content":"b"},{"content":"c"}]')
    assert check(before, before)


@pytest.mark.parametrize(
    "coding",
    ["gzip", "deflate", "raw deflate", "br", "zstd", "gzip, br", "identity, gzip", "GZIP"],
)
def test_every_coding_comes_back_whole_or_is_an_error(coding):
    for seed in range(8):
        packed, header = encoded(PLAIN * 50, coding, seed)
        assert decoded(packed, header) == PLAIN * 50
        with pytest.raises((EOFError, ValueError, zlib.error, brotli.error, ZstdError)):
            decoded(packed[:-1], header)


@pytest.mark.parametrize("how", ["whole", "edges", "blocks", "random", "tokens"])
def test_a_cut_loses_nothing(how):
    for seed in range(5):
        pieces = cut(ROUTED * 700, how, seed, [2, 10])
        assert b"".join(pieces) == ROUTED * 700
        assert (len(pieces) > 1) == (how != "whole")
