"""What is asked and what is answered: each question holds the script of its own answer.

So the provider needs no instructions but the question, and whoever has the question knows the
text. Every piece of it carries its number: what is lost, doubled or moved can be seen.
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
"""How often a provider drops the connection, falls silent, or ends without its marker."""
LONG_PIECE = 3_000


@dataclass(frozen=True, slots=True)
class Script:
    """An answer of `pieces` pieces, one every `delay` seconds; `trouble` comes before one of
    them. An answer that is asked to go on repeats the last `overlap` characters."""

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
        """Its deltas, each with the number of the piece it belongs to."""
        for number in range(self.pieces):
            if self.reasons and number % 2:
                yield number, Piece(f"({self.name}:{number})", "reasoning")
            filling = "🪸" * (number % 3) + "x" * (LONG_PIECE if self.long else 0)
            yield number, Piece(f"{self.name}:{number}{filling} ")

    @property
    def text(self) -> str:
        """All of the answer's text, without reasoning."""
        return "".join(piece.text for _, piece in self.numbered() if piece.kind == "text")

    def answer(self, after: int) -> Behaviour:
        """How the provider goes on after so many characters; after 0, the whole."""
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
    """A question that somebody asked, as the load part knows it. `copies` counts its POSTs."""

    script: Script
    person: int
    request: UUID
    copies: int
    stopped: bool = False
