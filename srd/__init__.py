"""srd, the semantic router daemon: decides where a request goes while its body arrives."""

__version__ = "0.1.0"
