"""Generate srd/wire/_pb from the .proto files beside this script.

Why this file exists: the generated code is committed, so that installing srd needs no protoc, and
so that a change of the interface is visible in review. `--check` proves that both agree.

    python protos/generate.py           write srd/wire/_pb anew
    python protos/generate.py --check   exit 1 and name the files that would change

Needs the `dev` extra: protoc comes from grpcio-tools, the plugin from betterproto2-compiler.
"""

from __future__ import annotations

import argparse
import importlib.resources
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROTOS = Path(__file__).resolve().parent
OUTPUT = PROTOS.parent / "srd" / "wire" / "_pb"
DESCRIPTORS = "descriptors.binpb"
"""What gRPC reflection answers with: our files and the well-known types that they import."""

# A patch release of the compiler changes this line and nothing else; the library compares minors.
_COMPILER_PATCH = re.compile(rb'(_COMPILER_VERSION = "\d+\.\d+)\.[^"]*"')


def generate(target: Path) -> None:
    """Write the package into `target`, which must be an empty directory."""
    plugin_path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc"),
        *(f"-I{PROTOS}", f"-I{well_known}"),
        f"--python_betterproto2_out={target}",
        # The server dispatches by path and hands out bytes: no stubs, no service base classes.
        "--python_betterproto2_opt=client_generation=none,server_generation=none",
        *(f"--descriptor_set_out={target / DESCRIPTORS}", "--include_imports"),
        *sorted(path.name for path in PROTOS.glob("*.proto")),
    ]
    result = subprocess.run(
        command, cwd=PROTOS, env={**os.environ, "PATH": plugin_path}, capture_output=True, text=True
    )
    if result.returncode:
        raise SystemExit(f"protoc failed:\n{result.stderr}")


def contents(root: Path) -> dict[str, bytes]:
    """Relative path to comparable content of every generated file under `root`."""
    return {
        str(path.relative_to(root)): _COMPILER_PATCH.sub(rb'\1"', path.read_bytes())
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def differences() -> list[str]:
    """Names of the files that regenerating would add, remove or change."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        fresh, committed = contents(Path(scratch)), contents(OUTPUT)
    names = fresh.keys() | committed.keys()
    return sorted(name for name in names if fresh.get(name) != committed.get(name))


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when stale")
    if parser.parse_args(arguments).check:
        stale = differences()
        for name in stale:
            print(f"stale: {OUTPUT.name}/{name}", file=sys.stderr)
        return 1 if stale else 0
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    generate(OUTPUT)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
