"""The members of each API are one consistent list."""

import pytest

from srd.body.shapes import SHAPES, Api
from srd.plugins.known_members import ANSWER_COUNTS, ESSENTIAL, KNOWN_MEMBERS, TOKEN_LIMITS


@pytest.mark.parametrize("api", Api)
def test_what_is_essential_or_capped_is_known(api):
    assert ESSENTIAL[api] <= KNOWN_MEMBERS[api]
    assert {*TOKEN_LIMITS[api], *ANSWER_COUNTS[api]} <= KNOWN_MEMBERS[api]


@pytest.mark.parametrize("api", Api)
def test_the_members_that_the_body_reads_are_known(api):
    shape = SHAPES[api]
    assert shape.turns.decode() in ESSENTIAL[api]
    assert shape.system is None or shape.system.decode() in KNOWN_MEMBERS[api]


@pytest.mark.parametrize("api", Api)
def test_every_api_can_stream(api):
    assert {"model", "stream"} <= KNOWN_MEMBERS[api]
