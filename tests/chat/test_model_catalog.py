"""The models of a user, rejected choices, and the parameters that each model is sent."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.api_keys import checking, keys
from accounts.models import KeyStatus, User
from chat import model_catalog, replies
from chat.models import Conversation, Message, ModelOverride, RefusedParameter
from chat.presentation.composer import build_composer
from chat.presentation.details import build_details
from chat.presentation.setting_rows import SettingRow
from chat.replies import Reply, ReplyRejected
from streaming import lifecycle
from streaming.events import Finish, StreamText
from streaming.lifecycle import Ending
from streaming.models import State, Stream
from streaming.providers import catalog
from streaming.providers.catalog import UnknownModel
from streaming.providers.errors import InvalidKey, ModelNotFound
from streaming.providers.types import ModelInfo, Request, Usage
from tests.chat.factories import claim_reply, start_reply
from tests.factories import sign_in

pytestmark = pytest.mark.django_db

SECRET = "sk-harbour-0123456789-ab12"


def save_key(user: User, provider: str = "openai", *listed: ModelInfo) -> User:
    """Save a valid key whose provider lists these models."""
    key = keys.save(user, provider, SECRET)
    checking.save_result(key, checking.KeyCheck(provider, KeyStatus.VALID, listed))
    return user


def list_model_ids(user: User, provider: str) -> list[str]:
    offered = catalog.group_by_provider(model_catalog.load_models(user).values())
    return [model.id for model in offered[catalog.PROVIDERS[provider]]]


def build_request(reply: Reply, partial: str = "") -> Request:
    """The request that a worker would send."""
    return replies.prepare(claim_reply(reply), StreamText(partial)).request


def finish_with_usage(reply: Reply, usage: Usage | None = None) -> Reply:
    stream = Stream.objects.get(pk=reply.stream.pk)
    if stream.state == State.QUEUED:
        stream = claim_reply(reply)
    counts = usage.to_counts() if usage else None
    assert lifecycle.end(stream.pk, stream.epoch, Ending.from_finish(Finish("stop", counts)))
    reply.answer.refresh_from_db()
    return reply


# The three layers


def test_every_user_has_the_models_of_the_catalog(owner: User) -> None:
    assert list_model_ids(owner, "demo") == ["demo", "demo-slow", "demo-fast", "demo-storm"]
    assert "claude-opus-5-5" in list_model_ids(owner, "anthropic")
    assert "gemini-2.0-flash" not in list_model_ids(owner, "google")


def test_models_listed_for_a_key_appear_only_for_its_owner(owner: User, colleague: User) -> None:
    save_key(owner, "openai", ModelInfo("gpt-9-luna"))
    assert list_model_ids(owner, "openai")[-1] == "gpt-9-luna"
    assert "gpt-9-luna" not in list_model_ids(colleague, "openai")
    with pytest.raises(UnknownModel):
        model_catalog.get_model(colleague, "gpt-9-luna")
    model = model_catalog.get_model(owner, "gpt-9-luna")
    assert (model.label, model.context_window, model.price) == ("gpt-9-luna", None, None)
    assert (model.takes_temperature, model.efforts) == (False, ())


def test_a_listed_model_gets_its_price_from_the_price_table(owner: User) -> None:
    save_key(owner, "openai", ModelInfo("gpt-5.6-cyber"), ModelInfo("gpt-5.4-pro"))
    assert model_catalog.get_model(owner, "gpt-5.4-pro").price
    assert model_catalog.get_model(owner, "gpt-5.4-pro").context_window == 1_050_000


def test_values_of_the_provider_override_those_of_the_catalog(owner: User) -> None:
    listed = ModelInfo("gemini-2.5-pro", "Pro", 1_048_576, 65_536, shutdown=date(2030, 1, 2))
    save_key(owner, "google", listed)
    model = model_catalog.get_model(owner, "gemini-2.5-pro")
    assert (model.label, model.context_window, model.max_output, model.shutdown) == (
        "Gemini 2.5 Pro",
        1_048_576,
        65_536,
        date(2030, 1, 2),
    )
    save_key(owner, "anthropic", ModelInfo("claude-haiku-5-5", availability="retired"))
    assert "claude-haiku-5-5" not in list_model_ids(owner, "anthropic")


def test_a_router_may_list_a_name_of_another_provider(owner: User) -> None:
    save_key(owner, "google", ModelInfo("gpt-4o", max_output=1))
    assert model_catalog.get_model(owner, "gpt-4o").provider == "openai"
    assert model_catalog.get_model(owner, "gpt-4o").max_output == 16_384
    assert model_catalog.get_model(owner, "gpt-4o", "google").max_output == 1
    assert model_catalog.get_model(owner, "google:gpt-4o").provider == "google"
    assert "gpt-4o" in list_model_ids(owner, "google")


def test_values_of_the_administrator_override_all_others(owner: User) -> None:
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


def test_empty_values_of_the_administrator_override_nothing(owner: User) -> None:
    before = model_catalog.get_model(owner, "gpt-6.2-sol")
    ModelOverride.objects.create(model_id="gpt-6.2-sol")
    assert model_catalog.get_model(owner, "gpt-6.2-sol") == before
    ModelOverride.objects.update(efforts="-")
    assert model_catalog.get_model(owner, "gpt-6.2-sol").efforts == ()


def test_an_administrator_can_hide_and_add_models(owner: User) -> None:
    ModelOverride.objects.create(model_id="gpt-4o", hidden=True)
    ModelOverride.objects.create(model_id="gpt-10", provider="openai", label="Ten")
    ModelOverride.objects.create(model_id="nobody-1", provider="nobody")
    assert "gpt-4o" not in list_model_ids(owner, "openai")
    assert model_catalog.get_model(owner, "gpt-10").label == "Ten"
    assert not model_catalog.find_model(model_catalog.load_models(owner), "nobody-1")
    with pytest.raises(ReplyRejected, match="gpt-4o"):
        start_reply(save_key(owner), model="gpt-4o")


def test_one_price_without_the_other_is_invalid(db: None) -> None:
    with pytest.raises(ValidationError, match="both prices"):
        ModelOverride(model_id="gpt-4o", input_price=Decimal(1)).full_clean()


def test_at_another_base_url_the_price_is_unknown(owner: User, settings: Settings) -> None:
    assert model_catalog.get_model(owner, "gpt-4o").price
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"
    assert model_catalog.get_model(owner, "gpt-4o").price is None


def test_an_administrator_can_edit_models_in_the_admin(owner: User) -> None:
    admin = User.objects.create_superuser("administrator@holdfast.test", "kelp")
    client = Client()
    sign_in(client, admin)
    client.post("/accounts/reauthenticate/", {"password": "kelp"})
    form = {"model_id": "gpt-4o", "hidden": "on", "takes_temperature": "unknown"}
    assert client.post("/admin/chat/modeloverride/add/", form).status_code == 302
    assert not model_catalog.find_model(model_catalog.load_models(owner), "gpt-4o")
    for page in ("modeloverride", "refusedparameter"):
        assert client.get(f"/admin/chat/{page}/").status_code == 200


# Refusals


def test_a_retired_model_is_rejected_with_the_name_of_its_successor(owner: User) -> None:
    save_key(owner), save_key(owner, "google")
    with pytest.raises(ReplyRejected) as caught:
        start_reply(owner, model="gemini-2.0-flash")
    assert caught.value.message == (
        "Google shut down Gemini 2.0 Flash on 1 June 2026. Choose Gemini 3.8 Flash instead."
    )
    with pytest.raises(
        ReplyRejected, match=r"shut down Gemini 2\.5 Flash Thinking\. Choose Gemini 3\.8"
    ):
        start_reply(owner, model="gemini-2.5-flash-thinking")
    assert not Conversation.objects.exists()


def test_max_tokens_beyond_the_models_limit_are_rejected(owner: User) -> None:
    save_key(owner)
    with pytest.raises(ReplyRejected) as caught:
        start_reply(owner, model="gpt-4o", max_tokens=16_385)
    assert caught.value.message == "GPT-4o writes at most 16,384 tokens."
    assert (
        start_reply(owner, model="gpt-4o", max_tokens=16_384).stream.arguments["max_tokens"]
        == 16_384
    )


def test_a_model_that_was_hidden_meanwhile_fails_the_reply(owner: User) -> None:
    reply = start_reply(owner)
    ModelOverride.objects.create(model_id="demo", hidden=True)
    with pytest.raises(ModelNotFound, match="demo"):
        build_request(reply)


def test_a_key_that_was_removed_after_queuing_fails_the_reply(owner: User) -> None:
    reply = start_reply(save_key(owner), model="gpt-6.2-sol")
    keys.remove(owner, "openai")
    with pytest.raises(InvalidKey, match=r"^No OpenAI API key\.$"):
        build_request(reply)


# Requests


def test_a_request_contains_only_parameters_that_the_model_takes(owner: User) -> None:
    save_key(owner), save_key(owner, "anthropic")
    wanted: dict[str, Any] = {"temperature": 0.3, "max_tokens": 99, "reasoning_effort": "high"}
    old_request = build_request(start_reply(owner, model="gpt-4o", **wanted))
    assert (old_request.temperature, old_request.max_tokens, old_request.reasoning_effort) == (
        0.3,
        99,
        None,
    )
    new_request = build_request(start_reply(owner, model="claude-opus-5-5", **wanted))
    assert (new_request.temperature, new_request.max_tokens, new_request.reasoning_effort) == (
        None,
        99,
        "high",
    )


def test_an_effort_that_the_model_does_not_have_is_left_out(owner: User) -> None:
    reply = start_reply(save_key(owner), model="gpt-6.2-sol", reasoning_effort="heroic")
    assert build_request(reply).reasoning_effort is None
    assert reply.conversation.reasoning_effort == ""


@pytest.mark.django_db(transaction=True)  # the source stores it in a thread
def test_an_unsupported_parameter_is_not_sent_again(owner: User, settings: Settings) -> None:
    save_key(owner)
    stream = claim_reply(start_reply(owner, model="gpt-4o", temperature=0.3))
    for _ in range(2):
        store = replies.prepare(stream, StreamText()).on_unsupported_parameter
        async_to_sync(store)("temperature")
    assert RefusedParameter.objects.count() == 1
    assert build_request(start_reply(owner, model="gpt-4o", temperature=0.3)).temperature is None
    assert build_request(start_reply(owner, model="gpt-4.1", temperature=0.3)).temperature == 0.3
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"
    assert build_request(start_reply(owner, model="gpt-4o", temperature=0.3)).temperature == 0.3


def test_an_unsupported_parameter_is_not_sent_for_streams_queued_before(owner: User) -> None:
    reply = start_reply(save_key(owner), model="gpt-4o", temperature=0.3, max_tokens=9)
    model_catalog.store_unsupported_parameter(
        model_catalog.get_model(owner, "gpt-4o"), "temperature"
    )
    model_catalog.store_unsupported_parameter(
        model_catalog.get_model(owner, "gpt-4o"), "max_tokens"
    )
    request = build_request(reply)
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
def test_a_stream_queued_by_an_older_version_can_run(owner: User, missing: str) -> None:
    arguments = {**SETTINGS_OF_41594F4}
    del arguments[missing]
    request = build_request(store_arguments(start_reply(save_key(owner)), arguments))
    assert request.model == "gpt-6.2-sol"
    assert request.system == "Answer as a sailor."
    assert request.max_tokens == (None if missing == "max_tokens" else 345)
    assert request.reasoning_effort == (None if missing == "reasoning_effort" else "low")


def test_a_stream_queued_by_a_newer_version_runs_without_unknown_settings(owner: User) -> None:
    later = {**SETTINGS_OF_41594F4, "attachments": [{"id": 7}], "version": 99}
    assert build_request(store_arguments(start_reply(save_key(owner)), later)).max_tokens == 345


def store_arguments(reply: Reply, arguments: dict[str, Any]) -> Reply:
    """Store arguments as a process of another version does."""
    stream = Stream.objects.get(pk=reply.stream.pk)
    stream.arguments = {"message": str(reply.answer.pk), **arguments}
    stream.save()
    return reply


def test_a_worker_of_an_earlier_version_finds_the_names_it_reads(owner: User) -> None:
    stream = start_reply(save_key(owner), **SETTINGS_OF_41594F4).stream
    assert stream.source == "chat"
    assert stream.arguments.items() >= SETTINGS_OF_41594F4.items()
    assert stream.arguments["message"]


def test_the_third_message_carries_the_earlier_ones_and_refers_back(owner: User) -> None:
    first = start_reply(owner, "What is kelp?")
    assert [turn.text for turn in build_request(first).turns] == ["What is kelp?"]
    finish_with_text(first, "A seaweed.")
    second = start_reply(owner, "Where does it grow?", first.conversation)
    assert len(build_request(second).turns) == 3
    finish_with_text(second, "In cold water.")
    third = start_reply(owner, "Make it shorter please", first.conversation, max_tokens=10)
    request = build_request(third)
    assert [turn.text for turn in request.turns][-2:] == ["In cold water.", third.question.content]
    assert "previous reply" in request.turns[-1].hint
    assert request.system == ""
    assert request.max_tokens == 10
    decided = Stream.objects.get(pk=third.stream.pk).arguments["context"]
    assert (decided["turns"], decided["refers_back"], decided["reserve"]) == (5, True, 10)


def finish_with_text(reply: Reply, text: str) -> None:
    finish_with_usage(reply)
    reply.answer.content = text
    reply.answer.save()


def test_context_stats_are_not_stored_for_a_stream_that_another_worker_claimed(owner: User) -> None:
    stream = claim_reply(start_reply(owner))
    Stream.objects.filter(pk=stream.pk).update(epoch=stream.epoch + 1)
    replies.prepare(stream, StreamText())
    assert "context" not in Stream.objects.get(pk=stream.pk).arguments


def test_the_composer_offers_efforts_and_selects_the_last_used(owner: User) -> None:
    reply = start_reply(save_key(owner), model="gpt-6.2-sol", reasoning_effort="low")
    assert build_composer(owner, reply.conversation, {}).settings_summary == "low effort"
    shown = find_effort_row(owner, reply.conversation)
    assert (shown.field.value(), shown.is_hidden) == ("low", False)
    offered = [value for value, _ in shown.field.field.widget.choices]
    assert offered == ["", "low", "medium", "high"]
    assert find_effort_row(owner, None, model="demo").is_hidden


def find_effort_row(user: User, conversation: Conversation | None, **typed: str) -> SettingRow:
    rows = build_composer(user, conversation, typed).settings
    return next(row for row in rows if row.field.name == "reasoning_effort")


def test_the_composer_suggests_a_model_if_the_last_one_is_gone(owner: User) -> None:
    conversation = Conversation.objects.create(user=owner, title="Old", model="gpt-4.1-nano")
    shown = build_composer(owner, conversation, {})
    assert shown.is_model_unavailable
    assert shown.hint == (
        "OpenAI shut down GPT-4.1 nano on 23 October 2026. Choose GPT-6 Luna instead."
    )
    conversation.model = "kelp-1"
    assert "“kelp-1” is no longer available" in build_composer(owner, conversation, {}).hint
    conversation.model = "gpt-4o"
    ModelOverride.objects.create(model_id="gpt-4o", hidden=True)
    assert "“GPT-4o” is no longer available" in build_composer(owner, conversation, {}).hint


# Costs


def test_the_cost_of_a_message_is_stored(owner: User) -> None:
    reply = finish_with_usage(
        start_reply(save_key(owner), model="gpt-4o"), Usage(input=1_000, output=500, cached=200)
    )
    assert reply.answer.cost == Decimal("0.007250")


@pytest.mark.parametrize("usage", [None, Usage(input=5), Usage(output=5)])
def test_without_usage_the_cost_is_unknown(owner: User, usage: Usage | None) -> None:
    assert (
        finish_with_usage(start_reply(save_key(owner), model="gpt-4o"), usage).answer.cost is None
    )


def test_without_a_price_the_cost_is_unknown(owner: User) -> None:
    usage = Usage(input=1_000, output=500)
    assert (
        finish_with_usage(start_reply(save_key(owner), model="gpt-6.2-sol"), usage).answer.cost
        is None
    )


@pytest.mark.parametrize("count", [-1, 2**31, 10**30])
def test_impossible_token_counts_are_ignored(owner: User, count: int) -> None:
    usage = Usage(input=count, output=7, cached=-5)
    answer = finish_with_usage(start_reply(save_key(owner), model="gpt-4o"), usage).answer
    assert (answer.input_tokens, answer.output_tokens, answer.cost) == (None, 7, None)
    assert answer.is_complete


def test_after_a_lost_attempt_the_cost_is_unknown(owner: User) -> None:
    reply = start_reply(save_key(owner), model="gpt-4o")
    claim_reply(reply)
    Stream.objects.update(attempts=1)
    assert finish_with_usage(reply, Usage(input=1_000, output=500)).answer.cost is None


def test_a_continued_message_costs_the_sum_of_its_streams(owner: User) -> None:
    reply = start_reply(save_key(owner), model="gpt-4o")
    stream = claim_reply(reply)
    ending = Ending.from_finish(Finish("length", {"input": 1_000, "output": 500}))
    assert lifecycle.end(stream.pk, stream.epoch, ending)
    reply.answer.refresh_from_db()
    reply.answer.content = "A seaweed that"
    reply.answer.save()
    more = replies.continue_reply(owner, answer=reply.answer, request_id=uuid4())
    assert finish_with_usage(more, Usage(input=1_000, output=500)).answer.cost == Decimal("0.015")


def test_a_continued_reply_shows_the_savings_of_its_own_stream(owner: User) -> None:
    reply = start_reply(save_key(owner), model="gpt-4o", max_tokens=100)
    stream = claim_reply(reply)
    counts = Usage(1_000, 5, cached=200).to_counts()
    assert lifecycle.end(stream.pk, stream.epoch, Ending.from_finish(Finish("length", counts)))
    Message.objects.update(content="A seaweed that")
    reply.answer.refresh_from_db()
    more = replies.continue_reply(owner, answer=reply.answer, request_id=uuid4())
    assert more.stream.arguments == reply.stream.arguments | {"continued_chars": [14, 0]}
    finish_with_usage(more, Usage(1_000, 5))
    details = dict(build_details(more.answer, Stream.objects.get(pk=more.stream.pk)))
    assert "Prompt cache" not in details


@pytest.mark.parametrize(
    ("model", "usage", "shown"),
    [
        ("gpt-4o", Usage(1_000, 5, cached=200), "200 tokens re-read, $0.00025 saved"),
        ("gpt-4o", Usage(1_000, 5, cached=0), None),
        ("gpt-4o", Usage(1_000, 5), None),
        ("gpt-4o", Usage(1_000, 5, cached=-5, cache_written=2**31), None),
        ("gpt-4o", Usage(cached=200), "200 tokens re-read"),
        ("gpt-6.2-sol", Usage(9_000, 5, cached=8_000), "8,000 tokens re-read"),
        ("claude-opus-5-5", Usage(9_000, 5, 0, 0, 8_000), "8,000 tokens added"),
        (
            "claude-opus-5-5",
            Usage(9_000, 5, 0, 8_000, 900),
            "8,000 tokens re-read, $0.0304 saved, 900 tokens added",
        ),
        ("demo", Usage(9_000, 5, cached=1), "1 token re-read"),
    ],
)
def test_the_details_show_what_came_from_the_cache(
    owner: User, model: str, usage: Usage, shown: str | None
) -> None:
    """Savings are shown where a price for cached tokens is known."""
    save_key(owner), save_key(owner, "anthropic")
    reply = finish_with_usage(start_reply(owner, model=model), usage)
    details = dict(build_details(reply.answer, Stream.objects.get(pk=reply.stream.pk)))
    assert details.get("Prompt cache") == shown


def test_the_price_of_a_reply_is_looked_up_once(owner: User, settings: Settings) -> None:
    settings.GENERATE_TITLES = False  # they compare the prices of all models
    reply = start_reply(save_key(owner), model="gpt-4o")
    with CaptureQueriesContext(connection) as queries:
        finish_with_usage(reply, Usage(1_000, 5, cached=200))
    assert reply.answer.cost
    assert sum("chat_modeloverride" in query["sql"] for query in queries) == 1


def test_another_server_saves_an_unknown_amount(owner: User, settings: Settings) -> None:
    """The prices of the table are those of the provider's own address."""
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"
    reply = start_reply(save_key(owner), model="gpt-4o")
    finish_with_usage(reply, Usage(1_000, 5, cached=200))
    details = dict(build_details(reply.answer, Stream.objects.get(pk=reply.stream.pk)))
    assert details["Prompt cache"] == "200 tokens re-read"


def test_the_details_describe_the_context(owner: User) -> None:
    reply = start_reply(owner, "Name a fish")
    stream = claim_reply(reply)
    assert "Context" not in dict(build_details(reply.answer, stream))
    replies.prepare(stream, StreamText())
    context = dict(build_details(reply.answer, stream))["Context"]
    assert context == "1 turn, about 8 tokens, 8,192 reserved for the reply"
