"""`srd serve`: run the daemon.

Why this file exists: it turns flags into ServeOptions and failures at start into one clear sentence
and an exit status. It must not know how the daemon lives.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Literal

import click

from srd.classify.api import Classifier, ClassifierUnavailable, ModelError
from srd.cli.common import EXIT_CONFIG, EXIT_START, classifier_for, say_why
from srd.config import ConfigErrors, Document
from srd.daemon.app import Daemon, ServeOptions
from srd.daemon.notify import listen_fds
from srd.daemon.server import split_address
from srd.daemon.tls import ServerTls, TlsError, TlsFiles
from srd.telemetry.logs import setup_logging


def _address(_: click.Context, __: click.Parameter, value: str) -> str:
    """Refuse what is no address before anything is started; "" is for the code that starts."""
    try:
        if value:
            split_address(value)
    except ValueError as bad:
        raise click.BadParameter(str(bad)) from None
    return value


@click.command()
@click.option(
    "--config",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The v0.3 document, or a Helm values file that holds it under `config:`.",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    callback=_address,
    default="127.0.0.1:50051",
    show_default=True,
    help="ExtProc, health and reflection (gRPC).",
)
@click.option(
    "--unix", "unix_path", metavar="PATH", default=None, help="Also listen on this Unix socket."
)
@click.option(
    "--admin",
    metavar="HOST:PORT",
    callback=_address,
    default="127.0.0.1:8080",
    show_default=True,
    help="Probes and the classify API (HTTP); empty: off.",
)
@click.option(
    "--metrics",
    metavar="HOST:PORT",
    callback=_address,
    default="127.0.0.1:9190",
    show_default=True,
    help="Prometheus scrapes (HTTP); empty: off.",
)
@click.option(
    "--tls-cert",
    type=click.Path(path_type=Path),
    default=None,
    help="Certificate chain for the ExtProc port (PEM); renewed files are taken up at once.",
)
@click.option(
    "--tls-key", type=click.Path(path_type=Path), default=None, help="Its private key (PEM)."
)
@click.option(
    "--tls-client-ca",
    type=click.Path(path_type=Path),
    default=None,
    help="Serve only clients with a certificate from this CA (mTLS).",
)
@click.option(
    "--model-dir",
    type=click.Path(path_type=Path),
    default=None,
    help="Another classifier than the one in the package.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where the classifier runs; cuda without CUDA fails at start.",
)
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(min=1),
    default=None,
    help="Classifier threads; default: cores minus one.",
)
@click.option(
    "--grace",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    help="How long streams in flight may go on after SIGTERM.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "text", "json"]),
    default="auto",
    show_default=True,
    help="auto: text on a terminal, JSON lines otherwise.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least serious line that is logged.",
)
def serve(
    config: Path,
    listen: str,
    unix_path: str | None,
    admin: str,
    metrics: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    model_dir: Path | None,
    device: Literal["auto", "cpu", "cuda"],
    threads: int | None,
    grace: float,
    log_format: str,
    log_level: str,
) -> None:
    """Run the external processor until SIGTERM.

    SIGTERM drains: not ready, no new streams, streams in flight finish. SIGHUP, or a change of the
    configuration file, reloads it; a bad one keeps the old and says why.

    Exit status: 0 after a drain, 1 for a bad configuration, 2 when it cannot start.
    """
    setup_logging(log_format, log_level)

    def open_classifier(document: Document) -> Classifier | None:
        return classifier_for(document, model_dir=model_dir, device=device, threads=threads)

    tls = _tls(tls_cert, tls_key, tls_client_ca)
    options = ServeOptions(
        config=config,
        listen=listen,
        admin=admin,
        metrics=metrics,
        unix_path=unix_path,
        tls=tls,
        sockets=listen_fds(),
        grace=grace,
    )

    async def run() -> int:
        return await Daemon(options, open_classifier=open_classifier).run()

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            sys.exit(runner.run(run()))
    except ConfigErrors as errors:
        say_why(config, errors)
        sys.exit(EXIT_CONFIG)
    except (OSError, ClassifierUnavailable, ModelError, RuntimeError) as error:
        click.echo(f"srd cannot start: {error}", err=True)
        sys.exit(EXIT_START)


def _tls(cert: Path | None, key: Path | None, client_ca: Path | None) -> ServerTls | None:
    if cert is None and key is None and client_ca is None:
        return None
    if cert is None or key is None:
        raise click.UsageError("TLS needs both --tls-cert and --tls-key")
    try:
        return ServerTls(TlsFiles(cert, key, client_ca))
    except TlsError as error:
        click.echo(f"srd cannot start: {error}", err=True)
        sys.exit(EXIT_START)


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """Uvloop where it is installed; it saves little, and costs nothing."""
    try:
        import uvloop
    except ImportError:
        return None
    loop: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return loop
