"""The units as systemd itself judges them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from srd.cli.serve import serve

SYSTEMD = Path(__file__).resolve().parents[2] / "systemd"
UNITS = ("srd.service", "srd@.service")


@pytest.fixture
def analyze() -> str:
    binary = shutil.which("systemd-analyze")
    if binary is None:
        pytest.skip("no systemd-analyze here")
    return binary


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as the install script writes them, around a command that exists."""
    command = tmp_path / "bin" / "srd"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    script = ["sh", str(SYSTEMD / "install.sh"), str(command)]
    subprocess.run(script, check=True, env={"DESTDIR": str(tmp_path), "PATH": "/usr/bin:/bin"})
    return tmp_path


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("unit", [*UNITS, "srd.socket"])
def test_systemd_finds_nothing_wrong(analyze: str, installed: Path, unit: str) -> None:
    folder = installed / "etc" / "systemd" / "system"
    path = folder / unit.replace("@.", "@50051.")
    if "@" in unit:
        path.symlink_to(unit)
    done = run(analyze, "verify", "--man=no", str(path))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS)
def test_the_exposure_stays_under_1_5(analyze: str, unit: str) -> None:
    # The threshold is ten times the exposure; the status is 1 when it is passed.
    done = run(analyze, "security", "--offline=true", "--threshold=15", str(SYSTEMD / unit))
    assert done.returncode == 0, done.stdout[-400:]


@pytest.mark.parametrize("unit", [*UNITS, "srd.service.d/tls.conf", "srd.service.d/gpu.conf"])
def test_the_flags_in_the_units_exist(unit: str, tmp_path: Path) -> None:
    (tmp_path / "srd.yaml").touch()
    text = (SYSTEMD / unit).read_text()
    lines = [
        line for line in text.splitlines() if line.startswith(("ExecStart=/", 'Environment="'))
    ]
    assert lines
    for line in lines:
        _, _, command = line.strip('"').partition("serve " if "serve" in line else "SRD_OPTIONS=")
        args = command.replace("$SRD_OPTIONS", "").replace("%i", "50051").split()
        args = [a.replace("${CONFIGURATION_DIRECTORY}", str(tmp_path)) for a in args]
        # systemd makes an empty word of a braced variable that is empty
        args = [a.replace("${SRD_ADMIN}", "").replace("${SRD_METRICS}", "") for a in args]
        if "--config" not in args:
            args += ["--config", str(tmp_path / "srd.yaml")]
        serve.make_context("srd serve", args)


def test_the_install_keeps_what_the_operator_wrote(installed: Path) -> None:
    config, defaults = installed / "etc/srd/srd.yaml", installed / "etc/default/srd"
    config.write_text("mine")
    defaults.write_text("mine")
    script = ["sh", str(SYSTEMD / "install.sh"), "/opt/srd/bin/srd"]
    subprocess.run(script, check=True, env={"DESTDIR": str(installed), "PATH": "/usr/bin:/bin"})
    assert (config.read_text(), defaults.read_text()) == ("mine", "mine")
    unit = installed / "etc/systemd/system/srd.service"
    assert "ExecStart=/opt/srd/bin/srd serve" in unit.read_text()


def test_the_installed_configuration_is_a_good_one(installed: Path) -> None:
    from srd.cli.check import check

    result = CliRunner().invoke(check, [str(installed / "etc/srd/srd.yaml")])
    assert result.exit_code == 0, result.output
