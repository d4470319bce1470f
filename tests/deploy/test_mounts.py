"""A whole `srd serve` over files mounted as Kubernetes mounts them, replaced while it runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

SECONDS = 30  # no test waits this long unless it is about to fail
DOCUMENT = """
version: v0.3
providers:
  defaults: {{default_model: base}}
  models: [{{name: base, backend_refs: [{{endpoint: "127.0.0.1:8000"}}]}}]
routing:
  modelCards: [{{name: base}}]
  decisions: [{{name: {name}, rules: {{}}, modelRefs: [{{model: base}}]}}]
"""


class Mount:
    """A volume as the kubelet writes it: files are links through `..data`, renamed over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._versions = 0
        folder.mkdir()

    def publish(self, files: dict[str, bytes]) -> None:
        self._versions += 1
        version = self.folder / f"..v{self._versions}"
        version.mkdir()
        for name, data in files.items():
            (version / name).write_bytes(data)
        (self.folder / "..data_tmp").symlink_to(version.name)
        (self.folder / "..data_tmp").rename(self.folder / "..data")
        for name in files:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")


def certificate(folder: Path, name: str) -> dict[str, bytes]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    files = ["-subj", f"/CN={name}", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return {"tls.crt": cert.read_bytes(), "tls.key": key.read_bytes()}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


class Running:
    """One daemon with TLS, and what may be asked of it from outside."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.grpc, self.admin = free_port(), free_port()
        self.config, self.tls = Mount(folder / "config"), Mount(folder / "tls")
        self.config.publish({"config.yaml": DOCUMENT.format(name="one").encode()})
        self.tls.publish(certificate(folder, "one"))
        self.command = [
            *(sys.executable, "-m", "srd.cli", "serve", "--metrics", ""),
            *("--config", str(self.config.folder / "config.yaml")),
            *("--listen", f"127.0.0.1:{self.grpc}", "--admin", f"127.0.0.1:{self.admin}"),
            *("--tls-cert", str(self.tls.folder / "tls.crt")),
            *("--tls-key", str(self.tls.folder / "tls.key")),
        ]

    def healthy(self, ca: Path) -> bool:
        command = [sys.executable, "-m", "srd.cli", "healthcheck", "--tls-ca", str(ca)]
        command += ["--address", f"127.0.0.1:{self.grpc}"]
        return subprocess.run(command, capture_output=True).returncode == 0

    def hash(self) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/config/hash") as answer:
                return str(json.load(answer)["hash"])
        except OSError:
            return ""


def until(true: object, what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("mounts")
    running = Running(folder)
    log = running.log.open("wb")
    process = subprocess.Popen(running.command, stdout=log, stderr=log)
    try:
        until(
            lambda: running.healthy(folder / "one.crt") or process.poll() is not None,
            "ready over TLS",
        )
        assert process.poll() is None, running.log.read_text()
        yield running
    finally:
        process.terminate()
        process.wait(SECONDS)
        log.close()


def test_a_swapped_configmap_is_in_force_without_a_restart(running: Running) -> None:
    two = DOCUMENT.format(name="two").encode()
    running.config.publish({"config.yaml": two})
    until(lambda: running.hash() == hashlib.sha256(two).hexdigest(), "the new document")


def test_a_bad_document_leaves_the_good_one_in_force(running: Running) -> None:
    before = running.hash()
    running.config.publish({"config.yaml": b"routing: {decisons: []}"})
    good = DOCUMENT.format(name="three").encode()
    until(lambda: "config_reload_failed" in running.log.read_text(), "a word of refusal")
    assert running.hash() == before
    running.config.publish({"config.yaml": good})
    until(lambda: running.hash() == hashlib.sha256(good).hexdigest(), "the good document")


def test_a_renewed_secret_is_in_force_without_a_restart(running: Running, tmp_path: Path) -> None:
    running.tls.publish(certificate(tmp_path, "two"))
    until(lambda: running.healthy(tmp_path / "two.crt"), "the new certificate")
