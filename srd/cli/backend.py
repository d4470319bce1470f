"""`srd backend`: the demo backend as a command.

Why this file exists: flags in, a running server out. It must not know what the server answers.
"""

from __future__ import annotations

import asyncio
import signal

import click

from srd.backend import Backend, Settings


@click.command(short_help="Run an OpenAI-compatible demo backend that tells what it received.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on; 0 takes any.")
@click.option(
    "--model", default=Settings().base_model, show_default=True, help="Name of the base model."
)
@click.option(
    "--lora",
    "adapters",
    multiple=True,
    default=Settings().adapters,
    show_default=True,
    help="Name of a LoRA adapter; repeat for more.",
)
@click.option(
    "--chunk-delay-ms", default=0.0, show_default=True, help="Pause before each streamed event."
)
@click.option(
    "--abort-after", type=int, default=None, help="Reset streams after that many events (a fault)."
)
def backend(
    host: str,
    port: int,
    model: str,
    adapters: tuple[str, ...],
    chunk_delay_ms: float,
    abort_after: int | None,
) -> None:
    """Run an OpenAI-compatible demo backend that tells what it received.

    It serves one base model and its LoRA adapters by name and answers 404 for any other, as vLLM
    does, so a request that nobody routed is visible: `auto` does not exist. There is no limit on
    the body.

    \b
    POST /v1/chat/completions /v1/completions /v1/responses /v1/messages
    GET  /v1/models /health /ready /metrics

    With the request header `x-backend-echo: 1` the answer says in x-backend-model, x-backend-bytes
    and x-backend-sha256 what arrived; with `x-backend-echo: body` the answer is a JSON document of
    it, headers and body included. `x-backend-chunk-delay-ms` and `x-backend-abort-after` do per
    request what the options do for all.

    Example: what does the upstream get when the gateway on port 8080 routes a request?

    \b
      srd backend --port 8000 &
      curl -H 'x-backend-echo: body' -H 'content-type: application/json' \\
        -d '{"model":"auto","messages":[{"role":"user","content":"Is 91 a prime?"}]}' \\
        http://127.0.0.1:8080/v1/chat/completions
    """  # noqa: D301 - click reads the \b itself
    settings = Settings(
        host=host,
        port=port,
        base_model=model,
        adapters=adapters,
        chunk_delay_ms=chunk_delay_ms,
        abort_after=abort_after,
    )
    try:
        asyncio.run(_serve(settings))
    except OSError as problem:
        raise click.ClickException(f"cannot listen on {host}:{port}: {problem}") from None


async def _serve(settings: Settings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with Backend(settings) as server:
        click.echo(f"demo backend on {server.url}: {', '.join(server.models)}")
        await stopped.wait()
