from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from srd.cli.check import check
from srd.cli.probe import models_url
from srd.config.providers import BackendRef


class Models(http.server.BaseHTTPRequestHandler):
    """A model server that only lists its models; which ones, the test says."""

    answer: bytes = b""
    seen: dict[str, str]

    def do_GET(self) -> None:
        type(self).seen = dict(self.headers)
        found = self.path == "/v1/models"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(self.answer if found else b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def backend() -> Iterator[http.server.HTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Models)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def checked(folder: Path, port: int, served: list[str], key: str = "") -> tuple[int, str]:
    Models.answer = json.dumps({"data": [{"id": name} for name in served]}).encode()
    document = folder / "srd.yaml"
    document.write_text(f"""
version: v0.3
providers:
  defaults: {{default_model: base}}
  models:
    - name: base
      provider_model_id: upstream-base
      backend_refs: [{{endpoint: "127.0.0.1:{port}", api_key: "{key}"}}]
routing:
  modelCards: [{{name: base, loras: [{{name: math-expert}}]}}]
  decisions: [{{name: all, rules: {{}}, modelRefs: [{{model: base}}]}}]
""")
    result = CliRunner().invoke(check, ["--quiet", "--probe", str(document)])
    return result.exit_code, result.output


def test_a_backend_that_serves_the_model_and_its_adapters_is_good(
    backend: http.server.HTTPServer, tmp_path: Path
) -> None:
    served = ["upstream-base", "math-expert", "other"]
    assert checked(tmp_path, backend.server_port, served) == (0, "")


def test_a_name_that_the_backend_does_not_serve_is_named(
    backend: http.server.HTTPServer, tmp_path: Path
) -> None:
    status, output = checked(tmp_path, backend.server_port, ["upstream-base"])
    assert status == 3
    assert "does not serve math-expert" in output


def test_the_key_is_sent_and_not_printed(backend: http.server.HTTPServer, tmp_path: Path) -> None:
    _, output = checked(tmp_path, backend.server_port, [], "canary")
    assert Models.seen["Authorization"] == "Bearer canary"
    assert "canary" not in output


def test_a_backend_that_is_down_is_said_to_be(tmp_path: Path) -> None:
    with socket.socket() as unused:  # bound, so that nobody else takes it; not listening
        unused.bind(("127.0.0.1", 0))
        status, output = checked(tmp_path, unused.getsockname()[1], [])
    assert status == 3
    assert "cannot be reached" in output


@pytest.mark.parametrize(
    ("backend_ref", "url"),
    [
        (BackendRef(endpoint="vllm:8000"), "http://vllm:8000/v1/models"),
        (BackendRef(endpoint="https://vllm"), "https://vllm/v1/models"),
        (BackendRef(base_url="https://api.example.com/v1/"), "https://api.example.com/v1/models"),
    ],
)
def test_where_models_are_listed(backend_ref: BackendRef, url: str) -> None:
    assert models_url(backend_ref) == url
