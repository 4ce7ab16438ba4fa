"""Which models a person is offered, what is refused, and what is never sent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ValidationError
from django.test import Client
from pytest_django import Settings

from accounts import checking, keys
from accounts.models import KeyStatus, User
from chat import model_catalog, replies
from chat.models import Conversation, ModelOverride, RefusedParameter
from chat.presentation.composer import build_composer
from chat.presentation.details import build_details
from chat.replies import Reply, ReplyRejected
from chat.replies import ReplySettings as Chosen
from streaming import lifecycle
from streaming.events import Finish, StreamText
from streaming.lifecycle import Ending
from streaming.models import State, Stream
from streaming.providers.catalog import UnknownModel
from streaming.providers.errors import InvalidKey, ModelNotFound
from streaming.providers.types import ModelInfo, Request, Usage

pytestmark = pytest.mark.django_db

SECRET = "sk-harbour-0123456789-ab12"


def with_key(user: User, provider: str = "openai", *listed: ModelInfo) -> User:
    """A user whose key was accepted, and lists these models."""
    key = keys.save(user, provider, SECRET)
    checking.save_result(key, checking.KeyCheck(provider, KeyStatus.VALID, listed))
    return user


def ids(user: User, provider: str) -> list[str]:
    offered = {p.id: models for p, models in model_catalog.group_by_provider(user).items()}
    return [model.id for model in offered[provider]]


def ask(
    user: User, text: str = "Name a fish", conversation: Conversation | None = None, **chosen: Any
) -> Reply:
    settings = Chosen(**{"model": "demo", **chosen})
    return replies.start_reply(
        user, text=text, request_id=uuid4(), reply_settings=settings, conversation=conversation
    )


def running(reply: Reply) -> Stream:
    worker = lifecycle.register_worker("a test's")
    stream = lifecycle.claim_stream(worker, Stream.objects.get(pk=reply.stream.pk))
    assert stream
    return stream


def sent(reply: Reply, partial: str = "") -> Request:
    """What its worker would ask the provider."""
    return replies.prepare(running(reply), StreamText(partial)).request


def ended(reply: Reply, usage: Usage | None = None) -> Reply:
    stream = Stream.objects.get(pk=reply.stream.pk)
    if stream.state == State.QUEUED:
        stream = running(reply)
    assert lifecycle.end(
        stream.pk,
        stream.epoch,
        Ending.from_finish(Finish("stop", usage.to_counts() if usage else None)),
    )
    reply.answer.refresh_from_db()
    return reply


# The three layers


def test_everybody_is_offered_what_the_catalog_has(owner: User) -> None:
    assert ids(owner, "demo") == ["demo", "demo-slow", "demo-fast", "demo-storm"]
    assert "claude-opus-5-5" in ids(owner, "anthropic")
    assert "gemini-2.0-flash" not in ids(owner, "google")


def test_what_a_key_lists_appears_for_its_owner_alone(owner: User, colleague: User) -> None:
    with_key(owner, "openai", ModelInfo("gpt-9-luna"))
    assert ids(owner, "openai")[-1] == "gpt-9-luna"
    assert "gpt-9-luna" not in ids(colleague, "openai")
    with pytest.raises(UnknownModel):
        model_catalog.get_model(colleague, "gpt-9-luna")
    model = model_catalog.get_model(owner, "gpt-9-luna")
    assert (model.label, model.context_window, model.price) == ("gpt-9-luna", None, None)
    assert (model.takes_temperature, model.efforts) == (False, ())


def test_a_listed_model_that_the_price_table_knows_has_its_price(owner: User) -> None:
    with_key(owner, "openai", ModelInfo("gpt-5.6-cyber"), ModelInfo("gpt-5.4-pro"))
    assert model_catalog.get_model(owner, "gpt-5.4-pro").price
    assert model_catalog.get_model(owner, "gpt-5.4-pro").context_window == 1_050_000


def test_the_provider_knows_better_than_the_catalog_as_far_as_it_tells(owner: User) -> None:
    told = ModelInfo("gemini-2.5-pro", "Pro", 1_048_576, 65_536, shutdown=date(2030, 1, 2))
    with_key(owner, "google", told)
    model = model_catalog.get_model(owner, "gemini-2.5-pro")
    assert (model.label, model.context_window, model.max_output, model.shutdown) == (
        "Gemini 2.5 Pro",
        1_048_576,
        65_536,
        date(2030, 1, 2),
    )
    with_key(owner, "anthropic", ModelInfo("claude-haiku-5-5", lifecycle="retired"))
    assert "claude-haiku-5-5" not in ids(owner, "anthropic")


def test_an_id_stays_with_the_provider_that_has_it(owner: User) -> None:
    with_key(owner, "google", ModelInfo("gpt-4o", max_output=1))
    assert model_catalog.get_model(owner, "gpt-4o").provider == "openai"
    assert model_catalog.get_model(owner, "gpt-4o").max_output == 16_384


def test_the_administrator_has_the_last_word(owner: User) -> None:
    ModelOverride.objects.create(
        model_id="gpt-4o",
        label="The old one",
        context_window=9_000,
        max_output=500,
        takes_temperature=False,
        efforts="low, high",
        input_price=Decimal(1),
        output_price=Decimal(2),
    )
    model = model_catalog.get_model(owner, "gpt-4o")
    assert (model.label, model.context_window, model.max_output) == ("The old one", 9_000, 500)
    assert (model.takes_temperature, model.efforts) == (False, ("low", "high"))
    assert model.price
    assert model.price.calculate_cost(Usage(input=1_000_000, output=1_000_000)) == 3


def test_what_the_administrator_leaves_empty_stays_as_it_was(owner: User) -> None:
    before = model_catalog.get_model(owner, "gpt-6.2-sol")
    ModelOverride.objects.create(model_id="gpt-6.2-sol")
    assert model_catalog.get_model(owner, "gpt-6.2-sol") == before
    ModelOverride.objects.update(efforts="-")
    assert model_catalog.get_model(owner, "gpt-6.2-sol").efforts == ()


def test_the_administrator_hides_and_adds_models(owner: User) -> None:
    ModelOverride.objects.create(model_id="gpt-4o", hidden=True)
    ModelOverride.objects.create(model_id="gpt-10", provider="openai", label="Ten")
    ModelOverride.objects.create(model_id="nobody-1", provider="nobody")
    assert "gpt-4o" not in ids(owner, "openai")
    assert model_catalog.get_model(owner, "gpt-10").label == "Ten"
    assert "nobody-1" not in model_catalog.load_models(owner)
    with pytest.raises(ReplyRejected, match="gpt-4o"):
        ask(with_key(owner), model="gpt-4o")


def test_one_price_alone_is_no_price(db: None) -> None:
    with pytest.raises(ValidationError, match="both prices"):
        ModelOverride(model_id="gpt-4o", input_price=Decimal(1)).full_clean()


def test_behind_another_address_nobody_knows_the_price(owner: User, settings: Settings) -> None:
    assert model_catalog.get_model(owner, "gpt-4o").price
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"
    assert model_catalog.get_model(owner, "gpt-4o").price is None


def test_the_administrator_edits_models_in_the_admin(owner: User) -> None:
    admin = User.objects.create_superuser("administrator@holdfast.test", "kelp")
    client = Client()
    client.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
    form = {"model_id": "gpt-4o", "hidden": "on", "takes_temperature": "unknown"}
    assert client.post("/admin/chat/modeloverride/add/", form).status_code == 302
    assert "gpt-4o" not in model_catalog.load_models(owner)
    for page in ("modeloverride", "refusedparameter"):
        assert client.get(f"/admin/chat/{page}/").status_code == 200


# What is refused


def test_a_retired_model_is_refused_with_its_successor(owner: User) -> None:
    with_key(owner), with_key(owner, "google")
    with pytest.raises(ReplyRejected) as caught:
        ask(owner, model="gemini-2.0-flash")
    assert caught.value.message == (
        "Google shut down Gemini 2.0 Flash on 1 June 2026. Pick Gemini 3.8 Flash instead."
    )
    with pytest.raises(
        ReplyRejected, match=r"shut down Gemini 2\.5 Flash Thinking\. Pick Gemini 3\.8"
    ):
        ask(owner, model="gemini-2.5-flash-thinking")
    assert not Conversation.objects.exists()


def test_more_than_a_model_writes_is_refused(owner: User) -> None:
    with_key(owner)
    with pytest.raises(ReplyRejected) as caught:
        ask(owner, model="gpt-4o", max_tokens=16_385)
    assert caught.value.message == "GPT-4o writes at most 16,384 tokens."
    assert ask(owner, model="gpt-4o", max_tokens=16_384).stream.arguments["max_tokens"] == 16_384


def test_a_model_that_was_hidden_since_it_was_asked_for_fails_the_reply(owner: User) -> None:
    reply = ask(owner)
    ModelOverride.objects.create(model_id="demo", hidden=True)
    with pytest.raises(ModelNotFound, match="demo"):
        sent(reply)


def test_a_key_that_was_removed_since_fails_the_reply(owner: User) -> None:
    reply = ask(with_key(owner), model="gpt-6.2-sol")
    keys.remove(owner, "openai")
    with pytest.raises(InvalidKey, match=r"^No OpenAI API key\.$"):
        sent(reply)


# What is sent


def test_a_model_is_sent_what_it_takes_and_no_more(owner: User) -> None:
    with_key(owner), with_key(owner, "anthropic")
    wish: dict[str, Any] = {"temperature": 0.3, "max_tokens": 99, "reasoning_effort": "high"}
    old = sent(ask(owner, model="gpt-4o", **wish))
    assert (old.temperature, old.max_tokens, old.reasoning_effort) == (0.3, 99, None)
    new = sent(ask(owner, model="claude-opus-5-5", **wish))
    assert (new.temperature, new.max_tokens, new.reasoning_effort) == (None, 99, "high")


def test_an_effort_that_is_none_of_the_models_is_left_out(owner: User) -> None:
    reply = ask(with_key(owner), model="gpt-6.2-sol", reasoning_effort="heroic")
    assert sent(reply).reasoning_effort is None
    assert reply.conversation.reasoning_effort == ""


@pytest.mark.django_db(transaction=True)  # the source remembers it in a thread
def test_what_was_refused_once_is_never_sent_again(owner: User, settings: Settings) -> None:
    with_key(owner)
    stream = running(ask(owner, model="gpt-4o", temperature=0.3))
    for _ in range(2):
        remember = replies.prepare(stream, StreamText()).on_unsupported_parameter
        async_to_sync(remember)("temperature")
    assert RefusedParameter.objects.count() == 1
    assert sent(ask(owner, model="gpt-4o", temperature=0.3)).temperature is None
    assert sent(ask(owner, model="gpt-4.1", temperature=0.3)).temperature == 0.3
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"
    assert sent(ask(owner, model="gpt-4o", temperature=0.3)).temperature == 0.3


def test_also_a_stream_that_was_asked_for_before_is_not_sent_it(owner: User) -> None:
    reply = ask(with_key(owner), model="gpt-4o", temperature=0.3, max_tokens=9)
    model_catalog.remember_refusal(model_catalog.get_model(owner, "gpt-4o"), "temperature")
    model_catalog.remember_refusal(model_catalog.get_model(owner, "gpt-4o"), "max_tokens")
    request = sent(reply)
    assert (request.temperature, request.max_tokens) == (None, None)


SETTINGS_OF_41594F4: dict[str, Any] = {
    "model": "gpt-6.2-sol",
    "max_tokens": 345,
    "temperature": None,
    "system_prompt": "Answer as a sailor.",
    "reasoning_effort": "low",
}
"""In the arguments of a stream, beside the id of its message. Workers of this and of older versions
read these names during a deployment."""


@pytest.mark.parametrize("missing", ["reasoning_effort", "max_tokens", "temperature"])
def test_a_stream_of_an_earlier_version_is_still_understood(owner: User, missing: str) -> None:
    arguments = {**SETTINGS_OF_41594F4}
    del arguments[missing]
    request = sent(with_arguments(ask(with_key(owner)), arguments))
    assert request.model == "gpt-6.2-sol"
    assert request.system == "Answer as a sailor."
    assert request.max_tokens == (None if missing == "max_tokens" else 345)
    assert request.reasoning_effort == (None if missing == "reasoning_effort" else "low")


def test_a_stream_of_a_later_version_is_run_without_what_is_not_known(owner: User) -> None:
    later = {**SETTINGS_OF_41594F4, "attachments": [{"id": 7}], "version": 99}
    assert sent(with_arguments(ask(with_key(owner)), later)).max_tokens == 345


def with_arguments(reply: Reply, arguments: dict[str, Any]) -> Reply:
    """As a process of another version wrote them."""
    stream = Stream.objects.get(pk=reply.stream.pk)
    stream.arguments = {"message": str(reply.answer.pk), **arguments}
    stream.save()
    return reply


def test_a_worker_of_an_earlier_version_finds_the_names_it_reads(owner: User) -> None:
    stream = ask(with_key(owner), **SETTINGS_OF_41594F4).stream
    assert stream.source == "chat"
    assert stream.arguments.items() >= SETTINGS_OF_41594F4.items()
    assert stream.arguments["message"]


def test_three_messages_flow_as_they_should(owner: User) -> None:
    first = ask(owner, "What is kelp?")
    assert [turn.text for turn in sent(first).turns] == ["What is kelp?"]
    answered(first, "A seaweed.")
    second = ask(owner, "Where does it grow?", first.conversation)
    assert len(sent(second).turns) == 3
    answered(second, "In cold water.")
    third = ask(owner, "Make it shorter please", first.conversation, max_tokens=10)
    request = sent(third)
    assert [turn.text for turn in request.turns][-2:] == ["In cold water.", third.question.content]
    assert "previous reply" in request.system
    assert request.max_tokens == 10
    decided = Stream.objects.get(pk=third.stream.pk).arguments["context"]
    assert (decided["turns"], decided["refers_back"], decided["reserve"]) == (5, True, 10)


def answered(reply: Reply, text: str) -> None:
    ended(reply)
    reply.answer.content = text
    reply.answer.save()


def test_what_was_decided_is_not_kept_for_a_stream_that_another_worker_has(owner: User) -> None:
    stream = running(ask(owner))
    Stream.objects.filter(pk=stream.pk).update(epoch=stream.epoch + 1)
    replies.prepare(stream, StreamText())
    assert "context" not in Stream.objects.get(pk=stream.pk).arguments


def test_the_composer_offers_efforts_and_keeps_the_one_that_was_used(owner: User) -> None:
    reply = ask(with_key(owner), model="gpt-6.2-sol", reasoning_effort="low")
    shown = build_composer(owner, reply.conversation, {})
    assert (shown.reasoning_effort, shown.efforts) == ("low", ("low", "medium", "high"))
    assert build_composer(owner, None, {"model": "demo"}).efforts == ()


def test_a_conversation_whose_model_is_gone_is_told_what_to_pick(owner: User) -> None:
    conversation = Conversation.objects.create(user=owner, title="Old", model="gpt-4.1-nano")
    shown = build_composer(owner, conversation, {})
    assert shown.is_model_unavailable
    assert shown.hint == (
        "OpenAI shut down GPT-4.1 nano on 23 October 2026. Pick GPT-6 Luna instead."
    )
    conversation.model = "kelp-1"
    assert "“kelp-1” is no longer available" in build_composer(owner, conversation, {}).hint


# What it cost


def test_a_message_knows_its_cost(owner: User) -> None:
    reply = ended(ask(with_key(owner), model="gpt-4o"), Usage(input=1_000, output=500, cached=200))
    assert reply.answer.cost == Decimal("0.007250")


@pytest.mark.parametrize("usage", [None, Usage(input=5), Usage(output=5)])
def test_without_counted_tokens_the_cost_is_unknown(owner: User, usage: Usage | None) -> None:
    assert ended(ask(with_key(owner), model="gpt-4o"), usage).answer.cost is None


def test_without_a_known_price_the_cost_is_unknown(owner: User) -> None:
    usage = Usage(input=1_000, output=500)
    assert ended(ask(with_key(owner), model="gpt-6.2-sol"), usage).answer.cost is None


@pytest.mark.parametrize("count", [-1, 2**31, 10**30])
def test_absurd_counts_are_unknown_and_break_nothing(owner: User, count: int) -> None:
    usage = Usage(input=count, output=7, cached=-5)
    answer = ended(ask(with_key(owner), model="gpt-4o"), usage).answer
    assert (answer.input_tokens, answer.output_tokens, answer.cost) == (None, 7, None)
    assert answer.is_complete


def test_of_a_reply_that_was_taken_over_nobody_knows_the_cost(owner: User) -> None:
    reply = ask(with_key(owner), model="gpt-4o")
    running(reply)
    Stream.objects.update(attempts=1)
    assert ended(reply, Usage(input=1_000, output=500)).answer.cost is None


def test_a_continued_message_costs_both_its_runs(owner: User) -> None:
    reply = ask(with_key(owner), model="gpt-4o")
    stream = running(reply)
    ending = Ending.from_finish(Finish("length", {"input": 1_000, "output": 500}))
    assert lifecycle.end(stream.pk, stream.epoch, ending)
    reply.answer.refresh_from_db()
    reply.answer.content = "A seaweed that"
    reply.answer.save()
    more = replies.continue_reply(owner, answer=reply.answer, request_id=uuid4())
    assert ended(more, Usage(input=1_000, output=500)).answer.cost == Decimal("0.015")


def test_the_details_say_what_was_sent(owner: User) -> None:
    reply = ask(owner)
    stream = running(reply)
    assert "Context" not in dict(build_details(reply.answer, stream))
    replies.prepare(stream, StreamText())
    said = dict(build_details(reply.answer, stream))["Context"]
    assert said == "1 turn, about 8 tokens, 8,192 reserved for the reply"
