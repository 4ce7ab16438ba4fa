"""A request re-reads what the one before it left in the provider's cache: from the messages of a
person over a worker, the SDK and a socket, to the details under the reply."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from uuid import uuid4

import pytest
from pytest_django import Settings

from accounts.api_keys import keys
from accounts.ledger.counting import COST_PRECISION
from accounts.models import User
from chat import replies
from chat.models import Message, ModelOverride
from chat.presentation.details import build_details
from chat.replies import Reply, ReplySettings
from chat.replies.usage import read_usage
from streaming import hub as hubs
from streaming.database import run_in_db
from streaming.models import Stream
from streaming.providers import anthropic, google
from streaming.providers.catalog.prices import MILLION
from streaming.providers.openai import client as openai
from streaming.providers.types import Usage
from streaming.worker import StreamWorker
from tests.chat.factories import start_reply
from tests.streaming.factories import wait_for_end
from tools.fake_provider import Behaviour, Fake
from tools.fake_provider.prompt_cache import STEP_TOKENS

pytestmark = pytest.mark.django_db(transaction=True)

MODELS = {
    "anthropic": "claude-opus-5-5",
    "openai": "gpt-6.1-sol",
    "google": "gemini-3.8-flash",
}
SYSTEM = "Answer like a harbour pilot. " * 40
ANSWER = ["tide ", "and ", "kelp "] * 100
CUT = "Stop early."
RARELY = [pytest.param(api, marks=pytest.mark.prove) for api in ("openai", "google")]


def write_question(number: int) -> str:
    return f"Question {number}: " + "how deep is it here? " * 30


@dataclass
class Chat:
    """A conversation with one model, and the tokens of each of its replies."""

    owner: User
    model: str
    replies: list[Reply] = field(default_factory=list)

    @property
    def last(self) -> Reply:
        return self.replies[-1]

    async def ask(self, text: str) -> Usage:
        known = self.last.conversation if self.replies else None
        return await self.run(
            lambda: start_reply(
                self.owner, text, known, self.model, request_id=uuid4(), system_prompt=SYSTEM
            )
        )

    async def run(self, start: Callable[[], Reply]) -> Usage:
        """Start a reply, and wait until a worker has written it."""
        self.replies.append(await run_in_db(start))
        stream = await wait_for_end(self.last.stream)
        assert stream.state == "completed", stream.error
        return read_usage(stream)

    async def ask_questions(self, count: int) -> list[Usage]:
        return [await self.ask(write_question(number)) for number in range(1, count + 1)]

    async def read_details(self) -> dict[str, str]:
        def read() -> dict[str, str]:
            answer = Message.objects.get(pk=self.last.answer.pk)
            return dict(build_details(answer, Stream.objects.get(pk=self.last.stream.pk)))

        return await run_in_db(read)


@pytest.fixture
async def start_chat(
    owner: User, fake: Fake, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[[str], Chat]]:
    """The providers' own addresses lead to the fake, which counts tokens. A worker runs."""
    monkeypatch.setattr(anthropic, "OFFICIAL_URL", fake.anthropic)
    monkeypatch.setattr(openai, "OFFICIAL_URL", fake.openai)
    monkeypatch.setattr(google, "OFFICIAL_URL", fake.google)
    settings.ANTHROPIC_BASE_URL = settings.OPENAI_BASE_URL = settings.GOOGLE_GEMINI_BASE_URL = ""
    for provider in MODELS:
        await run_in_db(keys.save, owner, provider, "sk-harbour-0123456789-ab12")
    reply = Behaviour.of(*ANSWER, counts_tokens=True, times=None)
    fake.script(replace(reply, prompt=CUT, times=1, finish="length"), reply)
    worker = StreamWorker()
    await worker.start()
    yield lambda provider: Chat(owner, MODELS[provider])
    await worker.drain(0)
    await hubs.close()


async def test_anthropics_turn_10_rereads_what_turn_9_wrote(
    start_chat: Callable[[str], Chat],
) -> None:
    chat = start_chat("anthropic")
    counted = await chat.ask_questions(10)
    for before, after in pairwise(counted):
        assert after.cached == (before.cached or 0) + (before.cache_written or 0)
        assert after.input == after.cached + (after.cache_written or 0)
    ninth, tenth = counted[-2:]
    assert tenth.cached == ninth.input
    assert (tenth.cached or 0) > 8 * (tenth.cache_written or 0) > 0
    saved = Decimal(tenth.cached or 0) * (4 - Decimal("0.2")) / MILLION
    details = await chat.read_details()
    assert details["Prompt cache"] == (
        f"{tenth.cached:,} tokens re-read, ${saved.quantize(COST_PRECISION).normalize():f}"
        f" saved, {tenth.cache_written:,} tokens added"
    )
    parts = ((tenth.cached, "0.2"), (tenth.cache_written, "5"), (len(ANSWER), "20"))
    cost = sum(((count or 0) * Decimal(price) for count, price in parts), Decimal()) / MILLION
    assert details["Cost"] == f"${cost.quantize(COST_PRECISION).normalize():f}"


@pytest.mark.parametrize("api", RARELY)
async def test_turn_10_begins_with_the_prompt_of_turn_9(
    start_chat: Callable[[str], Chat], api: str
) -> None:
    """These providers cache every long beginning, in whole steps."""
    chat = start_chat(api)
    ninth, tenth = (await chat.ask_questions(10))[-2:]
    assert ninth.input
    assert tenth.cached == ninth.input // STEP_TOKENS * STEP_TOKENS
    shown = (await chat.read_details())["Prompt cache"]
    assert shown.startswith(f"{tenth.cached:,} tokens re-read, $0.0")
    assert shown.endswith(" saved")


@pytest.mark.parametrize("api", ["anthropic", *RARELY])
async def test_a_chat_beyond_the_window_rereads_its_prompts(
    start_chat: Callable[[str], Chat], api: str
) -> None:
    """Old turns are left out in steps. Only the request after a step begins like no other one."""
    override = {"provider": api, "model_id": MODELS[api], "context_window": 12_500}
    await run_in_db(ModelOverride.objects.create, **override)
    chat = start_chat(api)
    counted = await chat.ask_questions(16)
    assert "older turns left out" in (await chat.read_details())["Context"]
    reread = [(usage.cached or 0) > 0.6 * (usage.input or 0) for usage in counted[4:]]
    assert reread.count(False) <= 3, counted


@pytest.mark.parametrize("api", ["anthropic", *RARELY])
async def test_other_answers_to_the_same_conversation_reread_it(
    start_chat: Callable[[str], Chat], api: str, owner: User
) -> None:
    """Another answer, an edited question, the rest of an answer and a follow-up."""
    chat = start_chat(api)
    fourth = (await chat.ask_questions(4))[-1]
    reply, chosen = chat.last, ReplySettings(chat.model, system_prompt=SYSTEM)

    def floor(tokens: int | None) -> int:
        """The part of a prompt that the provider holds."""
        size = 1 if api == "anthropic" else STEP_TOKENS
        return (tokens or 0) // size * size

    def regenerate() -> Reply:
        return replies.regenerate_answer(
            chat.owner, answer=reply.answer, request_id=uuid4(), reply_settings=chosen
        )

    def edit() -> Reply:
        return replies.edit_question(
            chat.owner,
            question=reply.question,
            text="Is it deep?",
            request_id=uuid4(),
            reply_settings=chosen,
        )

    again = await chat.run(regenerate)
    assert again.input == fourth.input
    assert again.cached == floor(fourth.input)
    edited = await chat.run(edit)
    assert (edited.cached or 0) >= 0.7 * (edited.input or 0)
    cut = await chat.ask(write_question(5) + CUT)
    answer = await run_in_db(Message.objects.get, pk=chat.last.answer.pk)
    rest = await chat.run(
        lambda: replies.continue_reply(chat.owner, answer=answer, request_id=uuid4())
    )
    assert rest.cached == floor(cut.input)
    before = await chat.ask("Make it shorter please")
    assert (await chat.read_details())["Context"].endswith("treated as a follow-up")
    after = await chat.ask("And in winter?")
    hint_tokens = 60
    assert (after.cached or 0) >= floor((before.input or 0) - hint_tokens)
