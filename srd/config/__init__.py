"""The v0.3 configuration document: structs, loading, validation.

Why this file exists: the other rooms import these names and nothing deeper, except the structs of
the part that they read.
"""

from srd.config.document import Document
from srd.config.load import Loaded, load, load_default, loads
from srd.config.problems import ConfigErrors, Problem

__all__ = ["ConfigErrors", "Document", "Loaded", "Problem", "load", "load_default", "loads"]
