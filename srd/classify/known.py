"""Sentences of attacks that everybody knows, in the forms in which they are passed on.

Why this file exists: a linear model over a window of 300 characters sees five words of attack among
forty of anything else; these few need no model. It must not know models or windows. A text that
quotes one of them holds it too: whether it is meant cannot be told from it.
"""

from __future__ import annotations

import re

_LEAVE = r"(?:ignore|disregard|forget|override|bypass)"
_ALL = r"(?:(?:all|any|every|of|the|your|these|those|my|our)\s+){0,3}"
_BEFORE = r"(?:previous|prior|above|earlier|preceding|foregoing|former)"
_RULES = r"(?:instructions?|rules|prompts?|directions|guidelines|directives|orders|commands)"
_KNOWN = re.compile(
    "|".join(
        (
            rf"\b{_LEAVE}\s+{_ALL}{_BEFORE}\s+{_RULES}\b",
            rf"\b{_LEAVE}\s+{_ALL}{_RULES}\s+(?:above|before this|given above)\b",
            r"\byou\s+are\s+now\s+(?:DAN\b|in\s+(?:developer|DAN|god|jailbreak)\s+mode)",
            r"\b(?:reveal|print|repeat|show|output|leak)\s+(?:me\s+)?your\s+"
            r"(?:\w+\s+)?(?:system\s+prompt|hidden\s+instructions|initial\s+instructions)\b",
            r"\byou\s+must\s+comply\s+with\s+(?:every|all|any)\s+requests?\b",
            r"\banswer\s+without\s+any\s+(?:restrictions|filters)\b",
            r"\b(?:ignoriere|vergiss|missachte)\s+(?:bitte\s+)?(?:alle|sämtliche)\s+"
            r"(?:vorherigen|bisherigen|obigen|früheren)\s+(?:anweisungen|regeln)",
            r"\b(?:ignore[zr]?|oublie[zr]?)\s+(?:toutes\s+)?(?:les|tes|vos)\s+"
            r"(?:instructions|consignes|règles)\s+(?:précédentes|ci-dessus)",
            r"\b(?:ignor[ae]|olvid[ae])\s+(?:todas\s+)?(?:las|tus)\s+"
            r"(?:instrucciones|reglas)\s+anteriores",
            r"\b(?:ignora|dimentica)\s+(?:tutte\s+)?(?:le|le\s+tue)\s+"
            r"(?:istruzioni|regole)\s+precedenti",
            r"\b(?:ignore|esqueça|desconsidere)\s+(?:todas\s+)?(?:as|suas)\s+"
            r"(?:instruções|regras)\s+anteriores",
            r"(?:忽略|无视|忘记)(?:之前|以上|前面|上述|先前)的?(?:所有|全部|一切)?(?:指令|指示|规则)",
            r"(?:игнорируй|забудь)(?:те)?\s+(?:все\s+)?(?:предыдущие|прежние)\s+"
            r"(?:инструкции|правила|указания)",
        )
    ),
    re.IGNORECASE,
)


def known(text: str) -> bool:
    """Whether a text of bounded length, in its readable form, holds one of the sentences."""
    return _KNOWN.search(text) is not None
