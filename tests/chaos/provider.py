"""The fake provider of a chaos run: it answers each question by the script in it, and goes on
where it is asked to. Its first line says where it listens; it ends with its standard input."""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any, Self

from streaming.providers.types import CONTINUE_PROMPT
from tests.chaos.script import Script
from tools.fake_provider import Behaviour
from tools.fake_provider.openai_responses import OpenAIResponses
from tools.fake_provider.server import FakeServer


@dataclass(frozen=True, slots=True)
class Order:
    """The text that a request wants: the answer to a question, from one character on.

    `faithful` is whether those characters were the answer's own.
    """

    question: str
    after: int = 0
    faithful: bool = True

    def __str__(self) -> str:
        return json.dumps([self.question, self.after, self.faithful])

    @classmethod
    def of(cls, prompt: str) -> Self:
        return cls(*json.loads(prompt))

    @property
    def behaviour(self) -> Behaviour:
        return Script.of(self.question).answer(self.after)


class Questions(OpenAIResponses):
    """The wire, reading the order from the whole conversation instead of its last turn."""

    def get_prompt(self, body: dict[str, Any]) -> str:
        turns = body.pop("input")  # a thousand conversations need not be remembered
        if turns[-1]["content"] != CONTINUE_PROMPT:
            return str(Order(_question(turns[-1])))
        question, so_far = _question(turns[-3]), turns[-2]["content"]
        faithful = Script.of(question).text.startswith(so_far)
        return str(Order(question, len(so_far), faithful))


def _question(turn: dict[str, Any]) -> str:
    """The last line: a question before it that got no answer is in the same turn."""
    content: str = turn["content"]
    return content.rpartition("\n")[2]


class Provider(FakeServer):
    async def _serve_reply(self, wire: Any, *rest: Any) -> None:
        await super()._serve_reply(Questions(), *rest)

    def _choose_behaviour(self, prompt: str) -> Behaviour:
        return Order.of(prompt).behaviour


async def serve() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    async with Provider().listen() as port:
        print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve())
