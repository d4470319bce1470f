"""`srd healthcheck`: asks a running daemon whether it serves.

Why this file exists: containers and init scripts probe with a command and read its exit status. It
must not need what the daemon needs: no configuration, no classifier.
"""

from __future__ import annotations

import asyncio
import http.client
import ssl
import sys
from pathlib import Path
from typing import Any

import click
from grpclib.encoding.base import CodecBase

from srd.daemon.server import split_address

_NOT_SERVING, _UNREACHABLE = 1, 2


@click.command()
@click.option(
    "--address",
    default="127.0.0.1:50051",
    show_default=True,
    help="The ExtProc port (gRPC health), or unix:/path.",
)
@click.option("--admin", default=None, help="Ask this admin port over HTTP instead: host:port.")
@click.option(
    "--service",
    default="readiness",
    show_default=True,
    help="readiness, liveness, or any name that gRPC health knows.",
)
@click.option("--tls-ca", type=click.Path(path_type=Path), help="Speak TLS and trust this CA.")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Client certificate (mTLS).")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its key.")
@click.option("--timeout", type=float, default=3.0, show_default=True, help="Seconds.")
def healthcheck(
    address: str,
    admin: str | None,
    service: str,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    timeout: float,
) -> None:
    """Ask a running daemon whether it serves.

    \b
    Exit status:
      0  it serves
      1  it answers, but does not serve (starting, draining, unknown service)
      2  nobody answers in time, or not as srd does

    \b
    Examples:
      srd healthcheck
      srd healthcheck --service liveness --address unix:/run/srd/srd.sock
      srd healthcheck --admin 127.0.0.1:8080
    """  # noqa: D301 - click's mark for "keep these lines" is a backspace
    try:
        if admin is not None:
            serves, said = _ask_admin(admin, service, timeout)
        else:
            tls = _client_tls(tls_ca, tls_cert, tls_key)
            serves, said = asyncio.run(_ask_grpc(address, service, tls, timeout))
    except (OSError, ValueError, TimeoutError, http.client.HTTPException) as error:
        click.echo(f"no answer: {error or type(error).__name__}", err=True)
        sys.exit(_UNREACHABLE)
    click.echo(said)
    if not serves:
        sys.exit(_NOT_SERVING)


def _client_tls(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if ca is None:
        return None
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["h2"])
    # A probe asks the process beside it by address; that the CA signed it is what counts.
    context.check_hostname = False
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context


def _ask_admin(address: str, service: str, timeout: float) -> tuple[bool, str]:
    host, port = split_address(address)
    connection = http.client.HTTPConnection(host or "127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/health" if service == "liveness" else "/ready")
        answer = connection.getresponse()
        return answer.status == 200, answer.read(4096).decode("utf-8", "replace")
    finally:
        connection.close()


async def _ask_grpc(
    address: str, service: str, tls: ssl.SSLContext | None, seconds: float
) -> tuple[bool, str]:
    from grpclib.client import Channel, UnaryUnaryMethod
    from grpclib.const import Status
    from grpclib.exceptions import GRPCError, StreamTerminatedError

    from srd.wire._pb.grpc.health.v1 import (
        HealthCheckRequest,
        HealthCheckResponse,
        HealthCheckResponseServingStatus,
    )

    codec = _Codec()
    if address.startswith("unix:"):
        channel = Channel(path=address.removeprefix("unix:"), ssl=tls, codec=codec)
    else:
        host, port = split_address(address)
        channel = Channel(host or "127.0.0.1", port, ssl=tls, codec=codec)
    check = UnaryUnaryMethod(
        channel, "/grpc.health.v1.Health/Check", HealthCheckRequest, HealthCheckResponse
    )
    try:
        answer = await check(HealthCheckRequest(service=service), timeout=seconds)
    except GRPCError as error:
        if error.status in (Status.NOT_FOUND, Status.UNIMPLEMENTED):
            return False, f"{service}: {error.message}"
        raise OSError(f"{error.status.name}: {error.message}") from None
    except StreamTerminatedError as error:
        raise OSError(str(error)) from None
    finally:
        channel.close()
    status = HealthCheckResponseServingStatus(answer.status)
    return status == HealthCheckResponseServingStatus.SERVING, f"{service}: {status.name}"


class _Codec(CodecBase):
    """grpclib's default codec wants Google's protobuf; ours are betterproto messages."""

    __content_subtype__ = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return bytes(message)

    def decode(self, data: bytes, message_type: Any) -> Any:
        return message_type.parse(data)
