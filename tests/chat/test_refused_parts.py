"""A part of a request that a server refused is stored, and no later request has it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pytest_django import Settings

from accounts.api_keys import checking, keys
from accounts.models import KeyStatus, User
from accounts.providers import describe_address
from chat import model_catalog
from chat.models import Conversation, RefusedParameter
from chat.replies import Reply
from streaming import hub as hubs
from streaming.database import run_in_db
from streaming.models import Stream
from streaming.worker import StreamWorker
from tests.chat.factories import start_reply
from tools.fake_provider import Behaviour, ErrorAnswer, Fake
from tools.waiting import until_async

MODEL = "gpt-6.2-sol"
NO_STORE = {"detail": [{"type": "extra_forbidden", "loc": ["body", "store"], "msg": "Extra."}]}
NO_SYSTEM = {"error": {"message": "Jinja Exception: System role not supported"}}


@pytest.fixture
async def worker(transactional_db: None) -> AsyncIterator[StreamWorker]:
    worker = StreamWorker()
    await worker.start()
    yield worker
    await worker.drain(0)
    await hubs.close()


def start_reply_with_key(owner: User, conversation: Conversation | None = None) -> Reply:
    if conversation is None:
        key = keys.save(owner, "openai", "sk-0123456789abcdef")
        checking.save_result(key, checking.KeyCheck("openai", KeyStatus.VALID, ()))
    return start_reply(owner, "Kelp?", conversation, MODEL, system_prompt="Be brief.")


async def wait_for_all(count: int) -> None:
    async def are_completed() -> bool:
        return await run_in_db(Stream.objects.filter(state="completed").count) == count

    await until_async(are_completed, within=30, what=f"{count} streams are complete")


@pytest.mark.django_db(transaction=True)
async def test_a_refused_part_is_stored_and_left_out_of_later_replies_and_titles(
    owner: User, worker: StreamWorker, fake: Fake, settings: Settings
) -> None:
    settings.OPENAI_BASE_URL, settings.GENERATE_TITLES = fake.openai, True
    refusals = (
        Behaviour(error=ErrorAnswer(422, NO_STORE)),
        Behaviour(error=ErrorAnswer(500, NO_SYSTEM)),
    )
    fake.script(
        *refusals, *(Behaviour.of(text) for text in ("Algae.", "About kelp", "More algae."))
    )
    first = await run_in_db(start_reply_with_key, owner)
    await wait_for_all(2)
    stored = RefusedParameter.objects.values_list("endpoint", "model_id", "parameter")
    endpoint = f"openai {describe_address(fake.openai)}"
    assert await run_in_db(list, stored) == [
        (endpoint, MODEL, "store"),
        (endpoint, MODEL, "system"),
    ]
    await run_in_db(start_reply_with_key, owner, first.conversation)
    await wait_for_all(3)
    bodies = [record.body for record in fake.requests()]
    assert ["store" in body for body in bodies] == [True, False, False, False, False]
    assert ["instructions" in body for body in bodies] == [True, True, False, False, False]
    assert bodies[-1]["input"][0]["content"] == "Be brief.\n\nKelp?"


@pytest.mark.django_db
def test_a_part_that_another_version_stored_changes_nothing(owner: User) -> None:
    before = model_catalog.get_model(owner, MODEL)
    model_catalog.store_unsupported_parameter(before, "a part of later")
    after = model_catalog.get_model(owner, MODEL)
    assert (after.takes_max_tokens, after.efforts) == (before.takes_max_tokens, before.efforts)
