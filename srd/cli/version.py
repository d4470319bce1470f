"""`srd version`: which srd this is, and on what it stands.

Why this file exists: a bug report needs the versions of the libraries that matter. They are read
from the installed packages' metadata; nothing of them is imported.
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import click

from srd import __version__

_LIBRARIES = ("onnxruntime", "onnxruntime-gpu", "tokenizers", "numpy", "grpclib", "h2", "uvloop")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def version(as_json: bool) -> None:
    """Print the version of srd and of what it runs on."""
    facts = {"version": __version__, "python": platform.python_version()}
    facts["platform"] = f"{platform.system().lower()}-{platform.machine()}"
    libraries = {name: found for name in _LIBRARIES if (found := _installed(name))}
    if as_json:
        click.echo(json.dumps(facts | {"libraries": libraries}))
        return
    click.echo(f"srd {__version__}")
    for name, value in (facts | libraries).items():
        if name != "version":
            click.echo(f"  {name} {value}")


def _installed(name: str) -> str:
    try:
        return installed(name)
    except PackageNotFoundError:
        return ""
