"""Which words of a request decide: pure functions of texts (docs/evidence.md).

Why this package exists: routing signals must read what a human wrote, not what a program wrote
around it. Nothing here knows JSON, a gateway, a clock or a classifier.
"""
