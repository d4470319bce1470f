"""The demo: a real Envoy, the demo backend and `srd`, started, asked and stopped.

Why this room exists: one command that proves the whole path, built from pieces that the tests and
benchmarks use too. It must not be imported by the daemon.
"""
