"""Signals: evidence in, three-valued readings out; one file per signal type.

Why this package exists: what is asked of a prompt, compiled once from the document, and read again
at each stage of an upload. It is pure: no I/O, no clock, no threads. It must not know what is done
with a reading.
"""

# A rule's struct stands beside its signal, and the document is made of them. Whoever asks for a
# signal first must therefore come by the document, or the two would meet half made.
import srd.config  # noqa: F401
