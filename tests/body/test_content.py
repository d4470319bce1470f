"""What a body knows of texts beside the messages' own: guards get them, routing never does."""

from __future__ import annotations

import json

import pytest

from srd.body.body import Body
from srd.body.shapes import Api
from srd.signals.base import Origin

TEXT = {"type": "text", "media_type": "text/plain", "data": "aside"}


def read(content: object, *, guarded: bool, role: str = "user") -> Body:
    body = Body(Api.ANTHROPIC, guarded=guarded)
    turns = [{"role": "user", "content": "Why?"}, {"role": role, "content": content}]
    body.receive(json.dumps({"messages": turns}).encode(), end=True)
    body.read()
    return body


@pytest.mark.parametrize(
    "part",
    [
        {"type": "document", "source": TEXT},
        {"type": "document", "source": {"data": "aside"}},
        {"type": "search_result", "content": [{"type": "text", "text": "aside"}]},
        {"type": "weird", "text": "aside"},
    ],
)
@pytest.mark.parametrize(("role", "origin"), [("user", "OTHER"), ("assistant", "HISTORY")])
def test_a_text_beside_is_a_segment_of_its_speaker_and_no_turn(part, role, origin):
    body = read([part], guarded=True, role=role)
    assert (Origin[origin], "aside") in [(s.origin, s.text) for s in body.prompt.segments()]
    assert body.prompt.last_user == "Why?"
    assert body.prompt.non_user == ()


def test_what_no_guard_reads_is_not_kept():
    body = read([{"type": "document", "source": TEXT}], guarded=False)
    assert "aside" not in [segment.text for segment in body.prompt.segments()]


def test_the_bytes_of_a_file_are_no_text_wherever_their_type_stands():
    for source in ({"type": "base64", "data": "aside"}, {"data": "aside", "type": "base64"}):
        body = read([{"type": "document", "source": source}], guarded=True)
        assert "aside" not in [segment.text for segment in body.prompt.segments()]
        assert not body.prompt.hidden
        assert body.counted == body.bytes_read - len("aside")
