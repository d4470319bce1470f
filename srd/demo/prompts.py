"""What the demo asks.

Why this file exists: the prompts are data and read as such. It must not know what they should be
decided as: the table shows what happened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request. `attachment_bytes` is how much text follows the question in the same message."""

    question: str
    listener: str
    stream: bool = False
    attachment_bytes: int = 0

    def document(self, *, model: str = "auto", salt: str = "") -> dict[str, Any]:
        """Return the chat completion request; `salt` makes its prompt unlike any before."""
        content = f"{salt}{self.question}"
        if self.attachment_bytes:
            content = f"{content}\n\n{attachment(self.attachment_bytes)}"
        messages = [{"role": "user", "content": content}]
        return {"model": model, "messages": messages, "max_tokens": 64, "stream": self.stream}

    def body(self, *, model: str = "auto", salt: str = "") -> bytes:
        """Return the document as the bytes that are sent."""
        return json.dumps(self.document(model=model, salt=salt), ensure_ascii=False).encode()


_CLAUSES: Final = (
    "The tenant shall keep the premises in good repair at the tenant's own expense.",
    "Rent falls due on the first business day of each month and bears interest when late.",
    "Either party may end this agreement by written notice of ninety days.",
    "The landlord warrants quiet enjoyment and shall insure the building against fire.",
    "No waiver of a breach is a waiver of any later breach of the same covenant.",
    "Disputes under this lease are settled by arbitration at the seat of the landlord.",
)


def attachment(size: int) -> str:
    """Return `size` characters of numbered clauses of a lease."""
    numbered = (f"{n}. {clause}\n" for n, clause in enumerate(cycle(_CLAUSES), 1))
    average = sum(map(len, _CLAUSES)) // len(_CLAUSES)
    return "".join(islice(numbered, size // average + 1))[:size]


CASES: Final = (
    Case(question="What is the derivative of f(x) = x^3?", listener="buffered"),
    Case(question="What is the derivative of f(x) = x^3?", listener="duplex"),
    Case(question="How does mRNA splicing produce different proteins?", listener="duplex"),
    Case(question="Balance the combustion of propane with oxygen.", listener="buffered"),
    Case(question="A car brakes from 30 m/s in 4 s. How far does it travel?", listener="duplex"),
    Case(question="Can a verbal agreement to sell land be enforced?", listener="duplex"),
    Case(question="Why did the Western Roman Empire fall?", listener="buffered"),
    Case(question="How should a startup price its first enterprise plan?", listener="duplex"),
    Case(question="Does raising interest rates lower inflation?", listener="duplex", stream=True),
    Case(question="Write a binary search in Python.", listener="buffered"),
    Case(question="Is free will compatible with determinism?", listener="duplex"),
    Case(question="What are common symptoms of iron deficiency?", listener="duplex"),
    Case(question="Suggest a name for my cat.", listener="buffered"),
    Case(
        question="Which clauses of this lease could a court refuse to enforce, and why?",
        listener="duplex",
        attachment_bytes=2_000_000,
    ),
)
