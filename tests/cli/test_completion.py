from __future__ import annotations

import shutil
import subprocess

import pytest
from click.testing import CliRunner

from srd.cli.completion import completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str) -> None:
    result = CliRunner().invoke(completion, [shell])
    assert result.exit_code == 0
    assert "_SRD_COMPLETE" in result.output


def test_bash_accepts_its_script() -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    script = CliRunner().invoke(completion, ["bash"]).output
    assert subprocess.run([bash, "-n"], input=script, text=True).returncode == 0


def test_an_unknown_shell_is_a_usage_error() -> None:
    assert CliRunner().invoke(completion, ["tcsh"]).exit_code == 2
