"""Starting, awaiting and stopping a child."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from srd.demo.process import Child, StartError, free_port

SERVER = """
import http.server, signal, sys
{before}
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ready" else 503)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""


def server(port: int, before: str = "") -> Child:
    return Child("page", [sys.executable, "-c", SERVER.format(before=before), str(port)])


def test_a_child_is_ready_when_its_page_says_so_and_dies_of_sigterm() -> None:
    port = free_port()
    with server(port) as child:
        child.until_ready(port)
        assert repr(child) == f"<Child page pid={child.pid}>"
        directory = child.log.parent
    assert child.returncode == -signal.SIGTERM
    assert not directory.exists()


def test_a_page_that_stays_unready_is_an_error_in_time() -> None:
    port = free_port()
    with server(port) as child:
        child.until_ready(port)
        with pytest.raises(StartError, match=r"page did not answer /other with 200 in 0\.1 s"):
            child.until_ready(port, "/other", seconds=0.1)


def test_a_child_that_ends_is_reported_with_the_end_of_its_log() -> None:
    child = Child("bad", [sys.executable, "-c", "raise SystemExit('no such file')"])
    with child, pytest.raises(StartError, match=r"bad ended with status 1\nno such file"):
        child.until_ready(free_port())


def test_a_child_that_ignores_sigterm_is_killed() -> None:
    port = free_port()
    child = server(port, "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    child.start()
    child.until_ready(port)
    assert child.stop(seconds=0.1) == -signal.SIGKILL


def test_the_environment_is_added_to_ours() -> None:
    code = "import os, sys; sys.exit(os.environ['SRD_X'] != '1' or 'PATH' not in os.environ)"
    child = Child("env", [sys.executable, "-c", code], environment={"SRD_X": "1"})
    with child:
        assert child.wait(10) == 0


def test_a_child_that_was_never_started_has_no_pid_and_stops_quietly() -> None:
    child = Child("none", [])
    with pytest.raises(RuntimeError, match="none is not started"):
        _ = child.pid
    assert child.stop() is None


def test_waiting_has_a_limit() -> None:
    with server(free_port()) as child, pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.05)
