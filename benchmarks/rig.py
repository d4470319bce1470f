"""The bench's parts: processors under test, an Envoy in front of each, one backend, paced uploads.

Everything runs on loopback, bounded in count and time, and is stopped by process id.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from srd.demo.envoy import LISTENERS, Envoy, EnvoyConfig

HERE = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
ARMS = ("srd early", "srd at the end", "accumulate")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Process:
    """A child that listens on `port`; its memory and CPU are read from /proc."""

    def __init__(self, command: list[str], port: int) -> None:
        self.port = port
        env = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=str(HERE.parent))
        self.child = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                return
            except OSError:
                if self.child.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"did not start: {command}") from None
                time.sleep(0.05)

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss(self) -> int:
        return self._status("VmRSS")

    def reset_peak(self) -> None:
        Path(f"/proc/{self.child.pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        return self._status("VmHWM")

    def _status(self, key: str) -> int:
        for line in Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
        raise KeyError(key)

    def stop(self) -> None:
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()


@dataclass
class Arm:
    name: str
    process: Process
    envoy: Envoy


class Rig:
    """Three processors with an Envoy each, and the backend behind all of them."""

    def __init__(self) -> None:
        self.directory = tempfile.TemporaryDirectory(prefix="srd-bench-")
        self.backend_port = free_port()
        self.backend = Process(
            [sys.executable, "-m", "srd.cli", "backend", "--port", str(self.backend_port)],
            self.backend_port,
        )
        self.arms = [self._arm(name) for name in ARMS]

    def _arm(self, name: str) -> Arm:
        port = free_port()
        listen = f"127.0.0.1:{port}"
        if name == "accumulate":
            command = [sys.executable, str(HERE / "accumulate.py"), "--listen", listen]
        else:
            config = Path(self.directory.name) / f"{port}.yaml"
            document = yaml.safe_load((HERE.parent / "srd/config/default.yaml").read_text())
            router = document.setdefault("global", {}).setdefault("router", {})
            early = {"enabled": name == "srd early"}
            if name != "srd early":
                early["max_held_bytes"] = 256 << 20
            router["streamed_body"] = {"early_decision": early}
            router["limits"] = {"max_held_bytes_total": 1 << 30}
            config.write_text(yaml.safe_dump(document))
            command = [sys.executable, "-m", "srd.cli", "serve", "--config", str(config)]
            command += ["--listen", listen, "--admin", "", "--metrics", ""]
        process = Process(command, port)
        listeners = tuple(item for item in LISTENERS if item.name in ("duplex", "plain"))
        envoy = Envoy(
            EnvoyConfig(
                processor=listen,
                backend=f"127.0.0.1:{self.backend_port}",
                listeners=listeners,
            )
        )
        envoy.start()
        return Arm(name, process, envoy)

    def stop(self) -> None:
        for arm in self.arms:
            arm.envoy.stop()
            arm.process.stop()
        self.backend.stop()
        self.directory.cleanup()


WORDS = [
    "derivative",
    "integral",
    "matrix",
    "theorem",
    "prove",
    "equation",
    "polynomial",
    "function",
    "limit",
    "series",
    "angle",
    "triangle",
    "probability",
    "vector",
    "prime",
    "number",
    "solve",
    "compute",
    "value",
    "root",
]


def prompt(size: int, seed: int) -> str:
    """A long mathematical prompt, different for every seed, so that nothing is remembered."""
    rng = random.Random(seed)
    start = "What is the derivative of f(x) = " + " + ".join(
        f"{rng.randint(2, 999)}x^{rng.randint(2, 9)}" for _ in range(8)
    )
    page = " ".join(rng.choice(WORDS) for _ in range(4000))
    text = start + "? " + page
    while len(text) < size:
        text += " " + page
    return text[:size]


def body(size: int, seed: int) -> bytes:
    document = {"model": "auto", "messages": [{"role": "user", "content": prompt(size, seed)}]}
    return json.dumps(document).encode()


@dataclass
class Upload:
    """One paced upload. Seconds on the machine's monotonic clock."""

    first: float  # first body byte sent -> first body byte at the upstream
    last: float  # last body byte sent -> last body byte at the upstream
    total: float
    model: str
    basis: str
    read: str


def upload(port: int, data: bytes, rate: float) -> Upload:
    """Send `data` at `rate` bytes a second (0: as fast as it goes)."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.settimeout(120)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\n"
            "content-type: application/json\r\n"
            f"content-length: {len(data)}\r\nx-backend-echo: body\r\nx-vsr-debug: true\r\n"
            "connection: close\r\n\r\n"
        )
        sock.sendall(head.encode())
        began = time.monotonic()
        view, sent = memoryview(data), 0
        step = 65536 if not rate else max(4096, int(rate / 250))
        while sent < len(data):
            if rate:
                ahead = sent / rate - (time.monotonic() - began)
                if ahead > 0:
                    time.sleep(ahead)
            sock.sendall(view[sent : sent + step])
            sent += step
        ended = time.monotonic()
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
        done = time.monotonic()
    headers, _, payload = answer.partition(b"\r\n\r\n")
    fields = dict(
        line.lower().split(": ", 1) for line in headers.decode().split("\r\n")[1:] if ": " in line
    )
    if fields.get("transfer-encoding") == "chunked":
        payload = payload[payload.index(b"{") : payload.rindex(b"}") + 1]
    try:
        seen = json.loads(payload)
        first, last = seen["first_byte_at"], seen["last_byte_at"]
    except (ValueError, KeyError):
        raise RuntimeError(f"unexpected answer: {answer[:300]!r}") from None
    return Upload(
        first - began,
        last - ended,
        done - began,
        seen["model"],
        fields.get("x-vsr-decision-basis", "-"),
        fields.get("x-vsr-decision-bytes", "-"),
    )
