"""numpy, loaded when something of it is first used.

Why this file exists: whoever reads a document imports every signal type, and most of them compute
nothing yet; numpy would be a third of the start of `srd check`. It must not know what is computed.

    from srd.signals import arrays as np
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import *  # noqa: F403 - the same names, for a type checker
else:

    def __getattr__(name: str) -> object:
        """The attribute of numpy, from now on of this module too."""
        if name.startswith("__"):
            raise AttributeError(name)
        import numpy

        value = globals()[name] = getattr(numpy, name)
        return value
