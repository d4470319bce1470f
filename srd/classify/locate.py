"""Where the default model lies.

Why this file exists: a wheel carries the model as `srd/_model`, a checkout as `models/default`.
It must not know what is inside.
"""

from __future__ import annotations

from pathlib import Path

from srd.classify.api import ModelError

MANIFEST = "manifest.json"


def model_dir(given: str | Path | None = None) -> Path:
    """Return the folder that holds `manifest.json`: the given one, the wheel's, the checkout's.

    Raises ModelError naming every place that was looked at.
    """
    package = Path(__file__).resolve().parent.parent
    places = [Path(given)] if given else [package / "_model", package.parent / "models" / "default"]
    for place in places:
        if (place / MANIFEST).is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    raise ModelError(f"no model found: {MANIFEST} is missing in {looked}.")
