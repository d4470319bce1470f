"""From readings to one Decision: rule trees, ranking, model choice, memory.

Why this package exists: whoever asks (serving, classify, explain), there is one way to decide. It
is pure: no I/O, no clock, no threads.
"""
