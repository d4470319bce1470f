"""The v0.3 configuration document: structs, loading, validation."""

from srd.config.document import Document

__all__ = ["Document"]
