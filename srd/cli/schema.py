"""`srd schema`: the JSON Schema of the document, for editors.

Why this file exists: the schema is a value of `srd.config`; people and editors want it as a file.
"""

from __future__ import annotations

import json

import click

from srd.config.schema import schema as document_schema

__all__ = ["schema"]


@click.command()
def schema() -> None:
    """Print the JSON Schema of a v0.3 document.

    An editor that knows it completes keys and marks typos while you write. `srd check` knows more:
    names that are not declared, values that contradict each other.

    \b
    Example, for editors that speak to the YAML language server:
      srd schema > srd.schema.json
      # yaml-language-server: $schema=srd.schema.json     (first line of the document)
    """  # noqa: D301 - click's mark for "keep these lines" is a backspace
    click.echo(json.dumps(document_schema(), indent=2))
