"""The codec's public face."""

from __future__ import annotations

from srd.wire import codec


def test_everything_named_is_there_and_nothing_else_is_public() -> None:
    public = {name for name in vars(codec) if not name.startswith("_")}
    assert public == set(codec.__all__)


def test_a_wire_error_is_a_value_error() -> None:
    assert issubclass(codec.WireError, ValueError)


def test_phases_are_the_numbers_of_the_protocol() -> None:
    assert {phase.name: int(phase) for phase in codec.Phase} == {
        "NONE": 0,
        "REQUEST_HEADERS": 2,
        "RESPONSE_HEADERS": 3,
        "REQUEST_BODY": 4,
        "RESPONSE_BODY": 5,
        "REQUEST_TRAILERS": 6,
        "RESPONSE_TRAILERS": 7,
    }
