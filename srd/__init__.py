"""srd, the semantic router daemon: decides where a request goes while its body arrives."""

__version__ = "0.1.0"

#: What pip calls this package: the name "srd" on PyPI is another project's.
DISTRIBUTION = "semantic-router-daemon"
