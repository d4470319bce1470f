"""The Envoy configuration as a value, and the files under deploy/envoy/ that users copy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from srd.demo.envoy import (
    LISTENERS,
    EnvoyConfig,
    Listener,
    Mode,
    Processing,
    envoy_binary,
    missing_reason,
    validate,
)

DEPLOY = Path(__file__).parents[2] / "deploy" / "envoy"
BY_NAME = {listener.name: listener for listener in LISTENERS}
CONFIG = EnvoyConfig(processor="127.0.0.1:50051", backend="127.0.0.1:8000")
needs_envoy = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))


@pytest.mark.parametrize(
    ("file", "listener"), [("full-duplex.yaml", "duplex"), ("buffered.yaml", "buffered")]
)
def test_the_files_that_users_copy_are_what_the_demo_runs(file: str, listener: str) -> None:
    config = replace(
        CONFIG, admin="127.0.0.1:9901", listeners=(replace(BY_NAME[listener], port=8080),)
    )
    assert yaml.safe_load((DEPLOY / file).read_text()) == config.document()


def test_every_file_that_users_copy_is_held_against_the_demo() -> None:
    assert {path.name for path in DEPLOY.iterdir()} == {"full-duplex.yaml", "buffered.yaml"}


@needs_envoy
@pytest.mark.envoy
@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*.yaml")), ids=lambda path: path.name)
def test_envoy_accepts_the_files_that_users_copy(path: Path) -> None:
    assert validate(path.read_text(), envoy_binary()) == ""


@needs_envoy
@pytest.mark.envoy
@pytest.mark.parametrize("response_body", list(Mode))
def test_envoy_accepts_every_mode_in_both_directions(response_body: Mode) -> None:
    listeners = tuple(
        Listener(
            name=f"on-{mode}",
            processing=Processing(
                request_body=mode, response_body=response_body, allow_mode_override=False
            ),
        )
        for mode in Mode
    )
    config = replace(CONFIG, listeners=listeners, tracer="collector:4317", processor="srd:50051")
    assert validate(config.yaml(), envoy_binary()) == ""


@needs_envoy
@pytest.mark.envoy
def test_validation_reports_what_envoy_refuses() -> None:
    assert "no such field" in " ".join(validate("{listenres: []}", envoy_binary()).split())


def test_full_duplex_sends_trailers_and_other_modes_skip_them() -> None:
    def trailers(mode: Mode) -> tuple[str, str]:
        modes = Processing(request_body=mode, response_body=mode).modes
        return modes["request_trailer_mode"], modes["response_trailer_mode"]

    assert trailers(Mode.FULL_DUPLEX_STREAMED) == ("SEND", "SEND")
    assert {trailers(mode) for mode in Mode if mode is not Mode.FULL_DUPLEX_STREAMED} == {
        ("SKIP", "SKIP")
    }


def test_the_plain_listener_has_no_processor() -> None:
    document = replace(CONFIG, listeners=(BY_NAME["plain"],)).yaml()
    assert "ext_proc" not in document
    assert "content_length_header" not in CONFIG.yaml()


def test_the_binary_can_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRD_ENVOY", "/opt/envoy-1.36/envoy")
    assert envoy_binary() == Path("/opt/envoy-1.36/envoy")
