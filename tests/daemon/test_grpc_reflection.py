"""Descriptors: what is found by which name."""

from __future__ import annotations

import pytest

from srd.daemon.grpc_reflection import Descriptors, load_descriptors
from srd.wire.fields import Fields


@pytest.fixture(scope="module")
def descriptors() -> Descriptors:
    return load_descriptors()


def names(files: list[bytes] | None) -> list[str]:
    assert files is not None
    return [(Fields(raw).raw(1) or b"").decode() for raw in files]


def test_every_service_that_the_server_speaks_is_listed(descriptors: Descriptors) -> None:
    assert sorted(descriptors.services) == [
        "envoy.service.ext_proc.v3.ExternalProcessor",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ]


@pytest.mark.parametrize(
    "symbol",
    [
        "envoy.service.ext_proc.v3.ExternalProcessor",
        "envoy.service.ext_proc.v3.ExternalProcessor.Process",
        "envoy.service.ext_proc.v3.ProcessingRequest",
        "envoy.service.ext_proc.v3.ProcessingRequest.AttributesEntry",
        "envoy.service.ext_proc.v3.ProcessingMode.BodySendMode",
    ],
)
def test_a_symbol_leads_to_its_file_with_all_imports(descriptors: Descriptors, symbol: str) -> None:
    found = names(descriptors.containing(symbol))
    assert found[0] == "extproc.proto"
    assert sorted(found[1:]) == [
        "google/protobuf/duration.proto",
        "google/protobuf/struct.proto",
        "google/protobuf/wrappers.proto",
    ]


def test_a_file_is_found_by_its_name_and_what_is_unknown_is_not(descriptors: Descriptors) -> None:
    assert names(descriptors.file("health.proto")) == ["health.proto"]
    assert descriptors.file("no.proto") is None
    assert descriptors.containing("no.Symbol") is None
