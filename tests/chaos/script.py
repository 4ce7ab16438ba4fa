"""Questions and answers: each question contains the script of its own answer.

So the provider needs only the question, and the expected answer can be computed from it. Every
piece of an answer has a number, so lost, doubled and moved text is visible.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Literal, Self
from uuid import UUID

from tools.fake_provider import Behaviour, Piece

ProviderFault = Literal["", "cut", "stall", "end"]

FAULT_SHARES: dict[ProviderFault, float] = {"cut": 0.04, "stall": 0.02, "end": 0.03}
"""The share of answers in which a provider drops the connection, falls silent, or ends without its
end marker."""
LONG_PIECE_CHARS = 3_000


@dataclass(frozen=True, slots=True)
class AnswerScript:
    """An answer of `pieces` pieces, one every `delay` seconds; `fault` comes before piece
    `fault_at`. A continued answer repeats the last `overlap` characters."""

    name: str
    pieces: int
    delay: float
    has_reasoning: bool = False
    has_long_pieces: bool = False
    overlap: int = 0
    fault: ProviderFault = ""
    fault_at: int = 0

    @classmethod
    def create_random(cls, random: Random, number: int) -> Self:
        pieces = random.randint(60, 220)
        has_long_pieces = random.random() < 0.04
        faults: list[ProviderFault] = [*FAULT_SHARES, ""]
        [fault] = random.choices(faults, [*FAULT_SHARES.values(), 1 - sum(FAULT_SHARES.values())])
        return cls(
            name=f"s{number:05}",
            pieces=pieces,
            delay=random.choice([0.01, 0.02, 0.03, 0.05]),
            has_reasoning=random.random() < 0.35,
            has_long_pieces=has_long_pieces,
            overlap=random.choice([0, 0, 24]),
            fault=fault,
            fault_at=random.randint(0, pieces),
        )

    # The question

    @property
    def question(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_question(cls, question: str) -> Self:
        return cls(**json.loads(question))

    # The answer

    def number_pieces(self) -> Iterator[tuple[int, Piece]]:
        """Yield the deltas of the answer, each with the number of its piece."""
        for number in range(self.pieces):
            if self.has_reasoning and number % 2:
                yield number, Piece(f"({self.name}:{number})", "reasoning")
            filling = "🪸" * (number % 3) + "x" * (LONG_PIECE_CHARS if self.has_long_pieces else 0)
            yield number, Piece(f"{self.name}:{number}{filling} ")

    @property
    def text(self) -> str:
        """Return the complete text of the answer, without reasoning."""
        return "".join(piece.text for _, piece in self.number_pieces() if piece.kind == "text")

    def build_behaviour(self, after: int) -> Behaviour:
        """Return the provider's continuation after so many characters; after 0, the complete
        answer."""
        skipped = max(0, after - self.overlap)
        pieces: list[Piece] = []
        numbers: list[int] = []
        for number, piece in self.number_pieces():
            if skipped and piece.kind == "text":
                rest = piece.text[skipped:]
                skipped = max(0, skipped - len(piece.text))
                piece = Piece(rest)
            if not skipped and piece.text:
                pieces.append(piece)
                numbers.append(number)
        complete = Behaviour(tuple(pieces), delay=self.delay)
        if not self.fault or not numbers or self.fault_at < numbers[0]:
            return complete
        before = sum(number < self.fault_at for number in numbers)
        match self.fault:
            case "cut":
                return replace(complete, cut_after=before)
            case "stall":
                return replace(complete, stall_after=before)
            case "end":
                return replace(complete, end_after=before)


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question that a web process accepted. `copies` counts its simultaneous POSTs. Only the
    gateway answers with the `stream`; a form finds it by the request."""

    script: AnswerScript
    person: int
    request: UUID
    copies: int
    stopped: bool = False
    stream: str = ""
