"""What the admin and metrics ports answer."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import subprocess
import sys

import pytest

from srd import __version__


def test_the_hash_is_that_of_the_file(run_async, start_daemon, config):
    async def test():
        async with start_daemon(config) as running:
            digest = hashlib.sha256(config.read_bytes()).hexdigest()
            assert await running.get("/config/hash") == (200, {"hash": digest, "generation": 0})

    run_async(test())


def test_state_tells_sizes_and_version_the_version(run_async, start_daemon, config):
    async def test():
        async with start_daemon(config) as running:
            status, state = await running.get("/debug/state")
            assert status == 200
            assert (state["open_streams"], state["held_bytes"], state["streams"]) == (0, 0, [])
            assert await running.get("/version") == (200, {"version": __version__})

    run_async(test())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("POST", "/ready", 405), ("GET", "/api/v1/eval", 405)],
)
def test_what_is_no_route_is_said(run_async, start_daemon, config, method, path, status):
    async def test():
        async with start_daemon(config) as running:
            answer = await running.ask(method, path)
            assert answer[0] == status
            assert path in answer[1]["error"]["message"]

    run_async(test())


def test_metrics_are_text_on_their_own_port(run_async, start_daemon, config):
    async def test():
        async with start_daemon(config) as running:
            host, _, port = running.daemon.options.metrics.rpartition(":")

            def scrape():
                connection = http.client.HTTPConnection(host, int(port), timeout=10)
                connection.request("GET", "/metrics")
                return connection.getresponse().read().decode()

            text = await asyncio.to_thread(scrape)
            assert "# TYPE srd_" in text

    run_async(test())


def test_without_a_learned_signal_no_onnx_runtime_is_loaded(config):
    program = (
        "import pathlib, sys\n"
        "from srd.cli.common import classifier_for\n"
        "from srd.cli import serve\n"
        "from srd.config import load\n"
        "from srd.exchange.policy import build_policy\n"
        "document = load(pathlib.Path(sys.argv[1])).document\n"
        "assert classifier_for(document) is None\n"
        "build_policy(document, None)\n"
        "print('onnxruntime' in sys.modules)\n"
    )
    command = [sys.executable, "-c", program, str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
