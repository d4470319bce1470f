"""`srd completion`: the script that teaches a shell srd's commands and flags.

Why this file exists: click has the scripts but hides them behind a variable that nobody finds.
"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    Examples:
      srd completion bash > /usr/share/bash-completion/completions/srd
      srd completion zsh > "${fpath[1]}/_srd"
      srd completion fish > ~/.config/fish/completions/srd.fish
    """  # noqa: D301 - click's mark for "keep these lines" is a backspace
    from srd.cli import main

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, "srd", "_SRD_COMPLETE").source())
