"""Bytes to ExtProc messages and back.

Nothing in this package knows what a message means for a request: it must not import any other
part of srd. `codec` is what the daemon uses, `peer` speaks the gateway's side for tests and
benchmarks, `_pb` is generated from protos/ and is the reference that both are held against.
"""
