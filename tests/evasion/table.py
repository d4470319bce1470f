"""Every known way to bring a text past a blocking rule, as one table.

Why this file exists: whoever finds another way adds a row, and it is tried in every body mode, in
every coding, under every kind of guard, and with a harmless text in the attack's place. It must not
know srd.
"""

from __future__ import annotations

from evasion import labels, loads, parts, places
from evasion.row import Row

ROWS: tuple[Row, ...] = (*loads.rows(), *labels.rows(), *places.rows(), *parts.rows())
