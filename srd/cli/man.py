"""`srd man`: manual pages, made from the same help that `--help` prints.

Why this file exists: a page that is written by hand differs from the command after a month.
Packagers run `srd man DIR`; the unit's Documentation= names the page.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click

from srd import __version__


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def man(folder: Path) -> None:
    """Write the manual pages srd(1), srd-serve(1) and so on into FOLDER."""
    from srd.cli import main

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(main).items():
        (folder / f"{name}.1").write_text(text, encoding="utf-8")


def pages(group: click.Group) -> dict[str, str]:
    """The roff text of each page by name ("srd", "srd-check"); commands two deep included."""
    found: dict[str, str] = {}
    _collect(group, "srd", None, found)
    return found


def _collect(
    command: click.Command, name: str, parent: click.Context | None, found: dict[str, str]
) -> None:
    context = click.Context(command, info_name=name.rsplit("-", 1)[-1], parent=parent)
    found[name] = _page(command, context, name)
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            child = command.get_command(context, sub)
            if child is not None:
                _collect(child, f"{name}-{sub}", context, found)


def _page(command: click.Command, context: click.Context, name: str) -> str:
    lines = [f'.TH "{_text(name.upper())}" 1 "" "srd {__version__}"', ".SH NAME"]
    lines.append(f"{_text(name)} \\- {_text(command.get_short_help_str(200))}")
    usage = command.get_usage(context).removeprefix("Usage: ")
    lines += [".SH SYNOPSIS", f".B {_text(' '.join(usage.split()))}", ".SH DESCRIPTION"]
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        literal = paragraph.startswith("\b\n")
        body = [_text(line) for line in paragraph.removeprefix("\b\n").splitlines()]
        lines += [".PP", *([".nf", *body, ".fi"] if literal else body)]
    options = [
        record for p in command.get_params(context) if (record := p.get_help_record(context))
    ]
    if options:
        lines.append(".SH OPTIONS")
    for flags, help_ in options:
        lines += [".TP", f".B {_text(flags)}", _text(help_)]
    if isinstance(command, click.Group):
        subs = ", ".join(f"{name}-{sub}(1)" for sub in command.list_commands(context))
        lines += [".SH SEE ALSO", _text(subs)]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """Roff takes a leading dot or quote for a request and a plain hyphen for a typographic one."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
