"""Categories without training: a description, a few examples, and what they are measured against.

Why this file exists: how near is near enough depends on the embedding and on the category, so
nearness is measured against everyday prompts of other kinds, and against the other categories, not
against a fixed number. It must not know documents.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from srd.signals import arrays as np
from srd.signals.prototypes import PrototypeBank, PrototypeOptions, build_bank, empty_bank

#: By how much a text must be nearer to the category than to the background.
MARGIN = 0.07

#: A background prompt this near to a category belongs to it, and is not held against it.
_OWN = 0.45
_NEAREST = 3
_STEEPNESS = 20.0

#: Ordinary prompts of many kinds. Written for this; none comes from a data set.
BACKGROUND = (
    "What is the derivative of x squared times sin x?",
    "Solve this system of linear equations.",
    "Prove that the square root of two is irrational.",
    "What is the probability of rolling two sixes?",
    "A train leaves the station at 60 miles per hour; how far does it get in two hours?",
    "Why is the sky blue?",
    "How does a transformer change voltage?",
    "Explain quantum entanglement.",
    "Balance this chemical equation.",
    "What happens when acid meets a base?",
    "How do cells divide?",
    "What does DNA do?",
    "How do vaccines work?",
    "What are the symptoms of diabetes?",
    "How does memory form in the brain?",
    "What is cognitive dissonance?",
    "Who won the second world war and why?",
    "When did the Roman empire fall?",
    "What is inflation?",
    "How does a central bank set interest rates?",
    "How do I write a business plan?",
    "Explain marketing to a small company.",
    "What is the difference between civil and criminal law?",
    "Can I sue my neighbour?",
    "What did Kant mean by duty?",
    "Is free will an illusion?",
    "Write a Python function that reverses a string.",
    "What is the time complexity of quicksort?",
    "Fix the error in this code.",
    "How does a computer network route packets?",
    "How is a bridge designed to bear load?",
    "How does a heat pump work?",
    "Hello, how are you?",
    "Tell me a joke.",
    "What time is it?",
    "What is the weather tomorrow?",
    "Set an alarm for seven.",
    "Play some music.",
    "Send a message to my sister.",
    "Translate this sentence into French.",
    "Summarise the following article.",
    "Write a short story about a dragon.",
    "Improve the style of this text.",
    "Who is the president of Brazil?",
    "Which film won the award last year?",
    "Who sings this song?",
    "What is the capital of Australia?",
    "Give me five names for a cat.",
    "Add milk to my shopping list.",
    "Remind me to call the dentist.",
    "Which of the following statements is true?",
    "Choose the correct answer.",
)


@dataclass(frozen=True, slots=True, repr=False)
class ExampleCategory:
    """One category: its prototypes, and the background without what resembles them."""

    name: str
    bank: PrototypeBank
    background: PrototypeBank

    @classmethod
    def of(
        cls,
        name: str,
        texts: Sequence[str],
        vectors: Sequence[Sequence[float]],
        background: Sequence[Sequence[float]],
        options: PrototypeOptions,
    ) -> Self:
        """`texts` are examples and description; `background` the vectors of BACKGROUND."""
        bank = build_bank(texts, vectors, options)
        rest = [vector for vector in background if (bank.score(vector) or 0.0) < _OWN]
        matrix = np.array(rest, dtype=np.float32) if rest else empty_bank().vectors
        return cls(name, bank, PrototypeBank(matrix, 0.0, _NEAREST))

    def margin(self, embedding: Sequence[float]) -> float | None:
        """Prototype score - mean of the three nearest background prompts; None without vectors."""
        score = self.bank.score(embedding)
        return None if score is None else score - (self.background.score(embedding) or 0.0)

    def __repr__(self) -> str:
        return f"<ExampleCategory {self.name} {self.bank!r}>"


@dataclass(frozen=True, slots=True, repr=False)
class ExampleContest:
    """All categories of a document that are given by examples: at most one wins."""

    categories: tuple[ExampleCategory, ...]

    def margins(self, embedding: Sequence[float]) -> dict[str, float]:
        """Category -> margin, for categories that can be compared."""
        measured = ((c.name, c.margin(embedding)) for c in self.categories)
        return {name: margin for name, margin in measured if margin is not None}

    def winner(self, margins: dict[str, float]) -> str | None:
        """The category with the largest margin if that is enough; ties by name."""
        if not margins:
            return None
        best = min(margins, key=lambda name: (-margins[name], name))
        return best if margins[best] >= MARGIN else None

    def __repr__(self) -> str:
        return f"<ExampleContest of {len(self.categories)}>"


def confidence_of(margin: float) -> float:
    """0..1, .5 at MARGIN. It orders categories; it is no calibrated probability."""
    return 1.0 / (1.0 + math.exp(-_STEEPNESS * (margin - MARGIN)))
