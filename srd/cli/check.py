"""`srd check`: says whether a document is good, and what srd makes of it.

Why this file exists: people run it before a roll-out and in CI, so its exit status and its lines
are an interface. It must not start anything.
"""

from dataclasses import replace
from pathlib import Path

import click

from srd.config import ConfigErrors, Document, Problem, load
from srd.config.problems import render
from srd.config.summary import summary
from srd.plugins.table import without_place

__all__ = ["check"]

_REFUSED = 1
_UNREADABLE = 2
_BACKENDS = 3


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--quiet", "-q", is_flag=True, help="Print errors and warnings only.")
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings too.")
@click.option(
    "--probe", is_flag=True, help="Ask each backend for /v1/models and compare the names."
)
def check(file: Path, quiet: bool, strict: bool, probe: bool) -> None:
    """Check a configuration FILE and say what srd makes of it.

    FILE is a v0.3 document in YAML or JSON, or a Helm values file with the document under
    `config:`. Environment variables are replaced as `srd serve` does.

    \b
    Exit status:
      0  the document can be used; a short summary and the warnings are printed
      1  it cannot: every error is printed as FILE:LINE: path: what (hint)
      2  FILE cannot be read
      3  with --probe: a backend cannot be asked, or does not serve a name

    \b
    Examples:
      srd check values.yaml
      srd check --quiet --strict router.json
      srd check --probe values.yaml
    """  # noqa: D301 - click's mark for "keep these lines" is a backspace
    try:
        loaded = load(file)
    except OSError as error:
        click.echo(f"{file}: {error.strerror or error}", err=True)
        raise SystemExit(_UNREADABLE) from None
    except ConfigErrors as errors:
        _print(str(file), errors.problems)
        _print(str(file), errors.warnings, "warning")
        count = len(errors.problems)
        total = f"{count} error{'' if count == 1 else 's'}"
        click.echo(f"{file}: {click.style(total, fg='red', bold=True)}")
        raise SystemExit(_REFUSED) from None
    if not quiet:
        good = click.style("good", fg="green", bold=True)
        click.echo(f"{file}: {good} ({loaded.kind}, sha256 {loaded.sha256[:12]})")
        click.echo(summary(loaded.document).text())
        for line in without_place(loaded.document):
            click.echo(line)
    _print(str(file), loaded.warnings, "warning")
    if strict and loaded.warnings:
        raise SystemExit(_REFUSED)
    if probe and not _probe(loaded.document, quiet):
        raise SystemExit(_BACKENDS)


def _probe(document: Document, quiet: bool) -> bool:
    """True when every backend serves what is asked of it."""
    from srd.cli.probe import probe as ask

    good = True
    for finding in ask(document):
        failed = bool(finding.error or finding.missing)
        good = good and not failed
        if failed or not quiet:
            click.echo(click.style(finding.text, fg="red" if failed else "green"))
    return good


def _print(source: str, problems: tuple[Problem, ...], level: str = "") -> None:
    """What is found is the output of a checker; warnings say that they are warnings.

    A terminal shows the place in bold; elsewhere click takes the colours out again.
    """
    colour = "yellow" if level else "red"
    for problem in problems:
        place = render(source, replace(problem, what="", hint=""), level)
        text = render(source, problem, level)[len(place) :]
        click.echo(click.style(place, fg=colour, bold=True) + text)
