"""Renderings of one exchange: metrics, a span, log lines; `record` is what they all read."""
