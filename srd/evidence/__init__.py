"""Evidence: which of a body's words decide.

Why this package exists: what counts of a prompt is a function of its bytes alone, and it is written
down once. It is pure: no I/O, no clock, no JSON. It must not know exchanges, bodies or classifiers.
"""
