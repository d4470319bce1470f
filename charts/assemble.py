"""Brings into the chart what has its home elsewhere in this repository.

Why this file exists: a chart can only read files inside its own folder, and a copy that nobody
compares goes stale. `python charts/assemble.py` writes the copies; with `--check` it writes nothing
and names those that differ (exit status 1).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from srd.config.schema import schema

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CHART = HERE / "srd"


def assembled() -> dict[Path, str]:
    """The text of every file that is a copy."""
    files = {
        CHART / "values.schema.json": values_schema(),
        CHART / "files" / "default.yaml": (ROOT / "srd" / "config" / "default.yaml").read_text(),
    }
    alerts = ROOT / "otel" / "alerts.yaml"
    if alerts.exists():
        files[CHART / "files" / "alerts.yaml"] = alerts.read_text()
    for dashboard in sorted((ROOT / "otel").glob("**/*dashboard*.json")):
        files[CHART / "files" / "dashboards" / dashboard.name] = dashboard.read_text()
    return files


def values_schema() -> str:
    """The chart's own schema with the document's below it, so that helm refuses its typos too."""
    values = yaml.safe_load((HERE / "values.schema.yaml").read_text())
    values["$defs"].update(schema()["$defs"])
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """The exit status."""
    stale = 0
    for path, text in assembled().items():
        if path.exists() and path.read_text() == text:
            continue
        stale = 1
        print(path.relative_to(ROOT))
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return stale if "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
