"""Which name the client gave, and whether it counts."""

from __future__ import annotations

import json

import pytest
from playbook import PLAIN, policy_of

from srd.body.body import Api, Body
from srd.decide.decision import Basis, Decision
from srd.exchange.naming import Naming
from srd.plugins.errors import Immediate


def naming(raw: bytes, *, end: bool = True, **early: object) -> tuple[Naming, Body]:
    more = "".join(f"{name}: {str(value).lower()}, " for name, value in early.items())
    policy = policy_of(PLAIN.replace("early_decision: {", "early_decision: {" + more))
    body = Body(Api.CHAT)
    body.receive(raw, end=end)
    body.read()
    return Naming(policy, body), body


def named(value: str) -> bytes:
    return f'{{"model":{value},"messages":[{{"role":"user","content":"x"}}]}}'.encode()


@pytest.mark.parametrize(
    ("late", "counts"), [(0, False), (22, False), (23, True), (24, True), (None, True)]
)
def test_a_name_counts_by_where_its_value_ends_and_by_nothing_else(late, counts):
    raw = b'{"messages":[],"model":"law-expert"}'
    assert raw.index(b'"law-expert"') == 23
    early = {} if late is None else {"late_model_bytes": late + len(b'"law-expert"')}
    early = {"late_model_bytes": 0} if late == 0 else early
    found, body = naming(raw, **early)
    assert found.counts(body.model) is counts
    assert (found.explicit() is not None) is counts
    assert found.requested == ("law-expert" if counts else None)


def test_with_no_bytes_no_name_counts_wherever_it_stands():
    for raw in (
        b'{"model":"law-expert","messages":[]}',
        b'{"messages":[],"model":"law-expert"}',
    ):
        found, body = naming(raw, late_model_bytes=0)
        assert not found.counts(body.model)
        assert found.settled


def test_attachments_do_not_push_a_name_out():
    picture = {"type": "image_url", "image_url": {"url": "A" * 5000}}
    messages = [{"role": "user", "content": [picture]}]
    raw = json.dumps({"messages": messages, "model": "law-expert"}).encode()
    assert naming(raw)[0].explicit() is not None
    assert naming(raw.replace(b'"url": "A', b'"detail": "A'))[0].explicit() is None


@pytest.mark.parametrize("value", ["null", '""', '"  "', '"auto"', '" auto\\n"', '"MoM"'])
def test_these_names_ask_to_be_routed(value):
    assert naming(named(value))[0].explicit() is None


@pytest.mark.parametrize("value", ["1", "true", "[]", "{}"])
def test_what_is_no_name_is_refused_with_its_place(value):
    refused = naming(named(value))[0].explicit()
    assert isinstance(refused, Immediate)
    assert refused.status == 400
    assert b"byte 9" in refused.body


def test_a_known_name_is_taken_at_its_word():
    decision = naming(named('"law-expert"'))[0].explicit()
    assert isinstance(decision, Decision)
    assert (decision.model, decision.basis) == ("law-expert", Basis.EXPLICIT)


def test_no_name_is_settled_while_one_may_still_count():
    found, _ = naming(b'{"messages":[', end=False)
    assert not found.settled
    assert not found.requested
    assert repr(found) == "<Naming nothing>"
    assert naming(b'{"messages":[{"role":"user","content":"' + b"x" * 3000, end=False)[0].settled
