"""The fake provider of a chaos run. It answers each question by the script in it, and continues
answers. Its first line of output has its address. It ends when its standard input closes."""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any, Self

from streaming.providers.types import CONTINUE_PROMPT
from tests.chaos.script import AnswerScript
from tools.fake_provider import Behaviour
from tools.fake_provider.openai_responses import OpenAIResponses
from tools.fake_provider.server import FakeServer


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """The answer to a question, after its first `after` characters.

    `is_own_text` is False if those characters differ from the answer.
    """

    question: str
    after: int = 0
    is_own_text: bool = True

    def __str__(self) -> str:
        return json.dumps([self.question, self.after, self.is_own_text])

    @classmethod
    def from_prompt(cls, prompt: str) -> Self:
        return cls(*json.loads(prompt))

    @property
    def behaviour(self) -> Behaviour:
        return AnswerScript.from_question(self.question).build_behaviour(self.after)


class QuestionResponses(OpenAIResponses):
    """The wire. It finds the question and the position in the turns of the conversation."""

    def get_prompt(self, body: dict[str, Any]) -> str:
        turns = body.pop("input")  # the record of a request need not hold a conversation
        if turns[-1]["content"] != CONTINUE_PROMPT:
            return str(AnswerRequest(_extract_question(turns[-1])))
        question, so_far = _extract_question(turns[-3]), turns[-2]["content"]
        is_own_text = AnswerScript.from_question(question).text.startswith(so_far)
        return str(AnswerRequest(question, len(so_far), is_own_text))


def _extract_question(turn: dict[str, Any]) -> str:
    """Return the last line. Earlier lines are questions that got no answer."""
    content: str = turn["content"]
    return content.rpartition("\n")[2]


class ChaosProvider(FakeServer):
    async def _serve_reply(self, wire: Any, *rest: Any) -> None:
        await super()._serve_reply(QuestionResponses(), *rest)

    def _choose_behaviour(self, prompt: str) -> Behaviour:
        return AnswerRequest.from_prompt(prompt).behaviour


async def serve() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    async with ChaosProvider().listen() as port:
        print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve())
