"""`python -m srd.cli`."""

from srd.cli import main

main()
