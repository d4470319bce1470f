"""`srd backend` as a process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from srd.cli.backend import backend

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = [sys.executable, "-c", "from srd.cli.backend import backend; backend()"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [*RUN, "--port", "0", "--model", "big", "--lora", "small"],
        stdout=subprocess.PIPE,
        text=True,
    )
    yield started
    started.kill()
    started.wait()


def test_it_says_where_it_listens_serves_the_named_models_and_stops_on_sigterm(process) -> None:
    line = process.stdout.readline()
    url = line.split()[3].rstrip(":")
    with urllib.request.urlopen(f"{url}/v1/models", timeout=10) as answer:
        assert [m["id"] for m in json.load(answer)["data"]] == ["big", "small"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0


def test_a_taken_port_is_one_clear_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(backend, ["--port", str(taken.getsockname()[1])])
    assert result.exit_code == 1
    assert result.output.startswith("Error: cannot listen on 127.0.0.1:")


def test_its_help_shows_the_echo_headers() -> None:
    text = CliRunner().invoke(backend, ["--help"]).output
    assert "x-backend-echo: body" in text
    assert "POST /v1/chat/completions" in text
