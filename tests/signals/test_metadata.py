from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from srd.signals.base import Evidence, Reach, Truth
from srd.signals.metadata import MetadataRule, MetadataSignal, compile_metadata

Moment = Callable[..., Evidence]


def metadata(**predicate: Any) -> MetadataSignal:
    rule = {"name": "rule", "key": "team", "predicate": predicate}
    return compile_metadata(msgspec.convert(rule, MetadataRule), Reach.BODY)


@pytest.mark.parametrize(
    ("predicate", "value", "matches"),
    [
        ({"equals": "red"}, "red", True),
        ({"equals": "red"}, "Red", False),
        ({"equals": "red"}, None, False),
        ({"equals": ""}, "", True),
        ({"in": ["red", "blue"]}, "blue", True),
        ({"in": ["red", "blue"]}, "green", False),
        ({"in": []}, "green", False),
        ({"in": ["red"]}, None, False),
        ({"exists": True}, "", True),
        ({"exists": True}, None, False),
        ({"exists": False}, None, True),
        ({"exists": False}, "red", False),
    ],
)
def test_predicates(
    whole: Moment, predicate: dict[str, Any], value: str | None, matches: bool
) -> None:
    members = {"other": "x"} | ({} if value is None else {"team": value})
    reading = metadata(**predicate).read(whole(metadata=members))
    assert (reading.value is Truth.TRUE) is matches


def test_it_answers_only_when_the_body_has_ended(settled: Moment) -> None:
    evidence = settled(metadata={"team": "red"})
    assert metadata(exists=True).read(evidence).value is Truth.UNKNOWN


def test_the_value_stays_out_of_the_reading(whole: Moment) -> None:
    assert metadata(exists=True).read(whole(metadata={"team": "secret"})).detail == "team"
