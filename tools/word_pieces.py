"""Writes srd/evidence/pieces.bin: which words the shipped tokenizer keeps whole.

Why this file exists: srd/evidence/weigh.py counts word pieces without a tokenizer and needs the
vocabulary in a form that is small and quick to ask: a Bloom filter of its whole words and single
characters, its two hashes the lowest and the highest 18 bits of a CRC-32. Run it again when
models/default/tokenizer.json has another vocabulary. It must not need a package.

    python tools/word_pieces.py          writes the file
    python tools/word_pieces.py --check  ends with 1 when it is stale
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILE = ROOT / "srd" / "evidence" / "pieces.bin"
BITS = 18


def pieces() -> bytes:
    """The filter over the shipped vocabulary."""
    document = json.loads((ROOT / "models/default/tokenizer.json").read_text("utf-8"))
    filled = bytearray((1 << BITS) // 8)
    for word in document["model"]["vocab"]:
        if word.startswith("##") or (len(word) > 1 and word.startswith("[")):
            continue
        hashed = zlib.crc32(word.encode())
        for place in (hashed & ((1 << BITS) - 1), hashed >> (32 - BITS)):
            filled[place >> 3] |= 1 << (place & 7)
    return bytes(filled)


def main() -> int:
    """Write the file, or say whether it is stale."""
    if "--check" in sys.argv[1:]:
        return int(FILE.read_bytes() != pieces())
    FILE.write_bytes(pieces())
    return 0


if __name__ == "__main__":
    sys.exit(main())
