"""What a decision does to a request and its response: Decision and document in, plain values out.

Why this package exists: one file per plugin, one plan that joins them. It is pure, and it must not
know splices, body modes or the gateway.
"""
