"""Signals: evidence in, three-valued readings out; one file per signal type.

Why this package exists: what is asked of a prompt, compiled once from the document, and read again
at each stage of an upload. It is pure: no I/O, no clock, no threads. It must not know what is done
with a reading.
"""
