"""Questions and answers: each question contains the script of its own answer.

So the provider needs nothing but the question, and the answer can be computed from the question.
Every piece of it has its number, so lost, doubled and moved text is visible.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Literal, Self
from uuid import UUID

from tools.fake_provider import Behaviour, Piece

Trouble = Literal["", "cut", "stall", "end"]

TROUBLES: dict[Trouble, float] = {"cut": 0.04, "stall": 0.02, "end": 0.03}
"""The share of answers in which a provider drops the connection, falls silent, or ends without its
marker."""
LONG_PIECE = 3_000


@dataclass(frozen=True, slots=True)
class Script:
    """An answer of `pieces` pieces, one every `delay` seconds; `trouble` comes before one of them.
    A continued answer repeats the last `overlap` characters."""

    name: str
    pieces: int
    delay: float
    reasons: bool = False
    long: bool = False
    overlap: int = 0
    trouble: Trouble = ""
    at: int = 0

    @classmethod
    def draw(cls, random: Random, number: int) -> Self:
        pieces = random.randint(60, 220)
        long = random.random() < 0.04
        kinds: list[Trouble] = [*TROUBLES, ""]
        [trouble] = random.choices(kinds, [*TROUBLES.values(), 1 - sum(TROUBLES.values())])
        return cls(
            name=f"s{number:05}",
            pieces=pieces,
            delay=random.choice([0.01, 0.02, 0.03, 0.05]),
            reasons=random.random() < 0.35,
            long=long,
            overlap=random.choice([0, 0, 24]),
            trouble=trouble,
            at=random.randint(0, pieces),
        )

    # The question

    @property
    def question(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, question: str) -> Self:
        return cls(**json.loads(question))

    # The answer

    def numbered(self) -> Iterator[tuple[int, Piece]]:
        """Return its deltas, each with the number of its piece."""
        for number in range(self.pieces):
            if self.reasons and number % 2:
                yield number, Piece(f"({self.name}:{number})", "reasoning")
            filling = "🪸" * (number % 3) + "x" * (LONG_PIECE if self.long else 0)
            yield number, Piece(f"{self.name}:{number}{filling} ")

    @property
    def text(self) -> str:
        """Return the complete text of the answer, without reasoning."""
        return "".join(piece.text for _, piece in self.numbered() if piece.kind == "text")

    def answer(self, after: int) -> Behaviour:
        """Return the provider's continuation after so many characters; after 0, the complete
        answer."""
        skipped = max(0, after - self.overlap)
        pieces: list[Piece] = []
        numbers: list[int] = []
        for number, piece in self.numbered():
            if skipped and piece.kind == "text":
                left = piece.text[skipped:]
                skipped = max(0, skipped - len(piece.text))
                piece = Piece(left)
            if not skipped and piece.text:
                pieces.append(piece)
                numbers.append(number)
        whole = Behaviour(tuple(pieces), delay=self.delay)
        if not self.trouble or not numbers or self.at < numbers[0]:
            return whole
        before = sum(number < self.at for number in numbers)
        match self.trouble:
            case "cut":
                return replace(whole, cut_after=before)
            case "stall":
                return replace(whole, stall_after=before)
            case "end":
                return replace(whole, end_after=before)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the load part knows it. `copies` counts its POSTs."""

    script: Script
    person: int
    request: UUID
    copies: int
    stopped: bool = False
