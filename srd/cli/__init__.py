"""The `srd` command: a group whose subcommands are imported only when they are used.

Why this file exists: `srd --version` must not load ONNX Runtime. It knows the names of the commands
and where they live, nothing else.
"""

from __future__ import annotations

import importlib

import click

from srd import __version__

_COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module, one line of help, so that --help imports nothing)
    "serve": ("srd.cli.serve", "Run the external processor."),
    "check": ("srd.cli.check", "Check a configuration and say what it can decide early."),
    "classify": ("srd.cli.classify", "Say where prompts would go."),
    "explain": ("srd.cli.explain", "Explain the decision for one request body."),
    "schema": ("srd.cli.schema", "Print the JSON Schema of a configuration, for editors."),
    "healthcheck": ("srd.cli.healthcheck", "Ask a running daemon whether it serves."),
    "version": ("srd.cli.version", "Print the version of srd and of what it runs on."),
    "completion": ("srd.cli.completion", "Print the completion script of a shell."),
    "man": ("srd.cli.man", "Write the manual pages."),
    "backend": ("srd.cli.backend", "Run the demo model server."),
    "demo": ("srd.cli.demo", "Route a dozen prompts through a real Envoy and show a table."),
}


class _Lazy(click.Group):
    """Imports a subcommand's module when the subcommand is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(_COMMANDS[cmd_name][0])
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="srd")
def main() -> None:
    """srd, the semantic router daemon: an Envoy external processor that decides early.

    It reads OpenAI-style requests while they are being uploaded, classifies the prompt, picks the
    model or LoRA adapter, and rewrites the request without touching any other byte.

    \b
    First steps:
      srd check values.yaml             is it good, and what can be decided early
      srd classify "Is 91 a prime?"     where would this prompt go
      srd explain body.json             why, and which bytes would change
      srd serve --config values.yaml    behind AgentGateway or Envoy
    """  # noqa: D301 - click's mark for "keep these lines" is a backspace


if __name__ == "__main__":
    main()
