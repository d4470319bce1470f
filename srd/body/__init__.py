"""Request bodies: scanned while they arrive, spliced while they leave."""
