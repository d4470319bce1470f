from __future__ import annotations

import json

from click.testing import CliRunner

from srd.cli import main
from srd.config.schema import schema


def test_it_prints_the_schema_and_nothing_else() -> None:
    done = CliRunner().invoke(main, ["schema"])
    assert done.exit_code == 0
    assert json.loads(done.stdout) == schema()
