"""Draws the dashboard's panels from a real scrape: otel/dashboard.png.

    python otel/render.py [SECONDS]

Starts srd, a real Envoy, the demo backend and Prometheus on free loopback ports, sends the demo's
prompts for a minute (answers whole and streamed, small and large), asks Prometheus what Grafana
would ask, and draws it. Needs `prometheus` on PATH and the bench extra.
"""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

import matplotlib as mpl
from dashboard import PANELS

from srd.backend import BackgroundBackend
from srd.demo.client import Client
from srd.demo.envoy import Envoy, EnvoyConfig, Listener, Mode, Processing
from srd.demo.process import free_port
from srd.demo.prompts import CASES
from srd.demo.serve import Srd

mpl.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).resolve().parent


def listener(name: str, mode: Mode, buffer_bytes: int) -> Listener:
    """With the response's body handed over too, so that usage is seen."""
    response = Mode.STREAMED if mode is Mode.BUFFERED else Mode.FULL_DUPLEX_STREAMED
    processing = Processing(request_body=mode, response_body=response)
    return Listener(name=name, processing=processing, buffer_bytes=buffer_bytes)


def drive(port: int, seconds: float) -> None:
    """The demo's prompts, each time unlike before, one after the other; some name a model."""
    until = time.monotonic() + seconds
    with Client(port) as client:
        for turn, case in enumerate(itertools.cycle(CASES)):
            if time.monotonic() > until:
                return
            model = {8: "law-expert", 21: "gpt-unknown"}.get(turn % 31, "auto")
            client.chat(case.body(model=model, salt=f"({turn}) "))


def ask(port: int, expression: str, began: float, ended: float) -> list[dict]:
    """One range query, as the dashboard would send it."""
    for variable, value in (("$job", ".*"), ("$instance", ".*"), ("$__rate_interval", "10s")):
        expression = expression.replace(variable, value)
    query = {"query": expression, "start": began, "end": ended, "step": 1}
    url = f"http://127.0.0.1:{port}/api/v1/query_range?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]["result"]


def draw(port: int, began: float, ended: float) -> None:
    columns = 4
    rows = -(-len(PANELS) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(16, 2.6 * rows))
    for axis, (_, title, _, unit, targets) in zip(axes.flat, PANELS, strict=False):
        for expression, legend in targets:
            for series in ask(port, expression, began, ended):
                points = [(float(t) - began, float(v)) for t, v in series["values"]]
                points = [(t, v) for t, v in points if not math.isnan(v)]
                label = legend
                for name, value in series["metric"].items():
                    label = label.replace(f"{{{{{name}}}}}", value)
                if points:
                    axis.plot(*zip(*points, strict=True), label=label, linewidth=1.2)
        axis.set_title(f"{title} [{unit}]", fontsize=8)
        axis.tick_params(labelsize=6)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=5, loc="upper left", ncols=2)
    for axis in list(axes.flat)[len(PANELS) :]:
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(HERE / "dashboard.png", dpi=70)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    duplex = listener("duplex", Mode.FULL_DUPLEX_STREAMED, 65536)
    with BackgroundBackend() as backend, Srd() as srd, tempfile.TemporaryDirectory() as folder:
        config = EnvoyConfig(
            processor=srd.address, backend=f"127.0.0.1:{backend.port}", listeners=(duplex,)
        )
        port = free_port()
        target = {"targets": [f"127.0.0.1:{srd.metrics_port}"]}
        scrape = {"job_name": "srd", "static_configs": [target]}
        document = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
        file = Path(folder) / "prometheus.yml"
        file.write_text(json.dumps(document))
        command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/data"]
        command.append(f"--web.listen-address=127.0.0.1:{port}")
        watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with Envoy(config) as envoy:
                time.sleep(3)
                began = time.time()
                drive(envoy.ports["duplex"], seconds)
                draw(port, began + 5, time.time())
        finally:
            watcher.terminate()
            watcher.wait()


if __name__ == "__main__":
    main()
