"""A model is its provider and its name: two servers may have the same one, and each call goes to
the one that was chosen. Rows, streams and tabs of the version before name a model without its
provider."""

from __future__ import annotations

import re
from html import unescape
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.test import Client

from accounts.api_keys import checking, keys
from accounts.models import KeyStatus, User
from chat import model_catalog, replies
from chat.models import Conversation, Message, ModelOverride, RefusedParameter
from chat.presentation.composer import build_composer
from chat.replies import Reply, ReplyRejected
from chat.replies.titles import find_cheapest_model
from streaming.events import StreamText
from streaming.models import Stream
from streaming.providers import catalog
from streaming.providers.catalog import Provider
from streaming.providers.catalog.compatible import parse_provider_config
from streaming.providers.errors import InvalidKey, ModelNotFound
from streaming.providers.types import ModelInfo
from tests.chat.factories import (
    HTMX,
    build_message_form,
    claim_reply,
    finish_reply,
    read_html,
    start_reply,
)

pytestmark = pytest.mark.django_db

SECRET = "sk-harbour-0123456789-ab12"
URLS = {
    id: f"http://127.0.0.1:{port}/v1" for port, id in enumerate(("hosta", "hostb", "router"), 1)
}
LONG_NAME = "accounts/fireworks/models/" + "x" * 274
SPACED_NAME = "My Kelp 7B  (Q4 K M)"


@pytest.fixture(autouse=True)
def servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two servers with the same model, and a router with names of other providers."""
    monkeypatch.setattr(catalog, "PROVIDERS", {**catalog.PROVIDERS})
    monkeypatch.setattr(catalog, "_MODELS_BY_KEY", {**catalog._MODELS_BY_KEY})
    add_server("hosta", "Host A", "llama3.3")
    add_server("hostb", "Host B", "llama3.3", "qwen3:8b", LONG_NAME)
    add_server("router", "Router", "gpt-5.5", "openai/gpt-4o", "claude-opus-5-5", SPACED_NAME)


def add_server(id: str, name: str, *models: str) -> None:
    provider = Provider(id, name, needs_key=False, base_url=URLS[id])
    rows = tuple(catalog.model_from_id(model, provider) for model in models)
    catalog.register_provider(provider, rows)


def send(client: Client, model: str, url: str = "/c/", **fields: str) -> Message:
    """Post the form, and return the answer."""
    response = client.post(url, build_message_form(model=model, **fields), headers=HTMX)
    assert response.status_code == 200, response.content
    return Message.objects.filter(role="assistant").latest("created_at")


def find_target(stream: Stream) -> tuple[str, str]:
    """The address and the name of the model that the worker would call."""
    source = replies.prepare(stream, StreamText(""))
    return source.adapter.base_url, source.request.model  # type: ignore[attr-defined]


def read_options(shown: str) -> dict[str, str]:
    """The labels of the list by their values."""
    found = re.findall(r'<option value="([^"]*)"[^>]*>([^<]*)<', shown)
    return {unescape(value): unescape(label) for value, label in found}


@pytest.mark.parametrize(
    ("value", "provider", "name"),
    [
        ("hosta:llama3.3", "hosta", "llama3.3"),
        ("hostb:llama3.3", "hostb", "llama3.3"),
        ("hostb:qwen3:8b", "hostb", "qwen3:8b"),
        ("router:gpt-5.5", "router", "gpt-5.5"),
        ("router:openai/gpt-4o", "router", "openai/gpt-4o"),
        (f"hostb:{LONG_NAME}", "hostb", LONG_NAME),
        (f"router:{SPACED_NAME}", "router", SPACED_NAME),
        # As tabs of the version before send them
        ("llama3.3", "hosta", "llama3.3"),
        ("qwen3:8b", "hostb", "qwen3:8b"),
        ("openai/gpt-4o", "router", "openai/gpt-4o"),
        # As other tools write them
        ("hostb/llama3.3", "hostb", "llama3.3"),
    ],
)
def test_a_message_goes_to_the_chosen_server(
    as_owner: Client, value: str, provider: str, name: str
) -> None:
    answer = send(as_owner, value)
    assert (answer.provider, answer.model) == (provider, name)
    conversation = answer.conversation
    assert (conversation.provider, conversation.model) == (provider, name)
    assert answer.stream
    assert answer.stream.arguments["provider"] == provider
    stream = claim_reply(Reply(conversation, answer, answer, answer.stream))
    assert find_target(stream) == (URLS[provider], name)


def test_a_bare_name_of_the_catalog_is_never_a_routers(as_owner: Client, owner: User) -> None:
    keys.save(owner, "openai", SECRET)
    assert send(as_owner, "gpt-5.5").provider == "openai"


def test_the_list_has_every_model_of_every_provider_once(as_owner: Client) -> None:
    shown = read_html(as_owner.get("/"))
    values = re.findall(r'<option value="([^"]*)"', shown)
    assert len(set(values)) == len(values)
    options = read_options(shown)
    assert options["hosta:llama3.3"] == "llama3.3 · Host A"
    assert options["hostb:llama3.3"] == "llama3.3 · Host B"
    assert options["hostb:qwen3:8b"] == "qwen3:8b"
    assert options["router:claude-opus-5-5"] == "claude-opus-5-5"
    assert f"hostb:{LONG_NAME}" in options


def test_every_value_of_the_list_is_found_as_the_model_it_names(owner: User) -> None:
    models = model_catalog.load_models(owner)
    for model in models.values():
        assert model_catalog.find_model(models, model.form_value) == model


def test_a_conversation_keeps_its_server(as_owner: Client, owner: User) -> None:
    answer = send(as_owner, "hostb:llama3.3")
    finish_reply(Reply(answer.conversation, answer, answer, answer.stream))  # type: ignore[arg-type]
    composer = build_composer(owner, answer.conversation, {})
    assert (composer.model, composer.is_model_unavailable) == ("hostb:llama3.3", False)
    assert build_composer(owner, None, {}).default_model == "hostb:llama3.3"
    shown = read_html(as_owner.get(f"/c/{answer.conversation_id}/"))
    assert 'aria-label="llama3.3 · Host B"' in shown
    assert re.search(r'value="hostb:llama3.3" selected', shown)
    assert 'data-recent="hostb:llama3.3"' in shown


def test_other_versions_of_a_reply_come_from_its_server(as_owner: Client) -> None:
    first = send(as_owner, "hostb:llama3.3")
    finish_reply(Reply(first.conversation, first, first, first.stream))  # type: ignore[arg-type]
    for target in (first.pk, first.parent_id):
        form = {"request_id": str(uuid4()), "text": "Why, then?"}
        assert as_owner.post(f"/m/{target}/versions/", form, headers=HTMX).status_code == 200
        newest = Message.objects.filter(role="assistant").latest("created_at")
        assert (newest.pk != first.pk, newest.provider) == (True, "hostb")
    form = {"request_id": str(uuid4()), "model": "hosta:llama3.3"}
    as_owner.post(f"/m/{first.pk}/versions/", form, headers=HTMX)
    assert Message.objects.filter(role="assistant").latest("created_at").provider == "hosta"


def test_a_model_that_its_server_lost_is_not_taken_from_another(owner: User) -> None:
    reply = start_reply(owner, model="hosta:llama3.3")
    stream = claim_reply(reply)
    for key in [k for k in catalog._MODELS_BY_KEY if k.provider == "hosta"]:
        del catalog._MODELS_BY_KEY[key]
    with pytest.raises(ModelNotFound, match=r"Host A does not serve the model “llama3\.3”"):
        replies.prepare(stream, StreamText(""))
    with pytest.raises(ReplyRejected, match="Host A does not serve"):
        replies.start_reply(
            owner,
            text="Again?",
            request_id=uuid4(),
            reply_settings=replies.ReplySettings.from_conversation(reply.conversation),
            conversation=reply.conversation,
        )
    composer = build_composer(owner, reply.conversation, {})
    assert composer.is_model_unavailable
    assert "“llama3.3” is no longer available" in composer.hint


@pytest.mark.parametrize(
    ("value", "rejection", "name"),
    [
        ("hosta:kelp:7b", "Host A does not serve the model “kelp:7b”", "kelp:7b · Host A"),
        ("kelp:7b", "model “kelp:7b”", "kelp:7b"),
    ],
)
def test_a_form_that_names_a_lost_model_is_refused_in_plain_words(
    as_owner: Client, owner: User, value: str, rejection: str, name: str
) -> None:
    refused = as_owner.post("/c/", build_message_form(model=value), headers=HTMX)
    assert refused.status_code == 422
    assert rejection in unescape(refused.content.decode())
    composer = build_composer(owner, None, {"model": value})
    assert (composer.model, composer.model_name) == (value, name)
    assert composer.hint == "“kelp:7b” is no longer available. Choose another model."


# Rows and streams of the version before


def store_old_stream(reply: Reply, **changes: Any) -> Stream:
    """Store the arguments as a process of the version before does, and claim the stream."""
    arguments = {**reply.stream.arguments, **changes}
    del arguments["provider"]
    Stream.objects.filter(pk=reply.stream.pk).update(arguments=arguments)
    return claim_reply(reply)


def test_a_queued_stream_without_a_provider_has_that_of_its_message(owner: User) -> None:
    stream = store_old_stream(start_reply(owner, model="hostb:llama3.3"))
    assert find_target(stream) == (URLS["hostb"], "llama3.3")


def test_a_queued_stream_of_another_model_is_found_by_its_name(owner: User) -> None:
    stream = store_old_stream(start_reply(owner, model="hostb:llama3.3"), model="qwen3:8b")
    assert find_target(stream) == (URLS["hostb"], "qwen3:8b")
    reply = start_reply(owner, model="hostb:llama3.3")
    stream = store_old_stream(reply, model="claude-opus-5-5")
    with pytest.raises(InvalidKey, match="No Anthropic API key"):
        replies.prepare(stream, StreamText(""))


def test_a_conversation_that_an_older_process_changed_has_the_provider_of_its_reply(
    owner: User,
) -> None:
    """That process writes the model of the conversation, and does not know its provider."""
    reply = start_reply(owner, model="hostb:llama3.3")
    Message.objects.filter(pk=reply.answer.pk).update(model="gpt-5.5", provider="router")
    Conversation.objects.update(model="gpt-5.5")
    conversation = Conversation.objects.get()
    assert build_composer(owner, conversation, {}).model == "router:gpt-5.5"
    assert replies.ReplySettings.from_conversation(conversation).provider == "router"


def test_a_conversation_without_a_provider_is_resolved_by_the_name(owner: User) -> None:
    conversation = Conversation.objects.create(user=owner, title="Old", model="llama3.3")
    assert build_composer(owner, conversation, {}).model == "hosta:llama3.3"


def run_migration(function: str) -> None:
    migration = import_module("chat.migrations.0009_fill_model_providers")
    getattr(migration, function)(apps, None)


def test_the_migration_fills_the_provider_of_every_conversation(owner: User) -> None:
    by_leaf = start_reply(owner, model="hostb:llama3.3").conversation
    by_older_reply = start_reply(owner, model="router:gpt-5.5").conversation
    by_older_reply.current_leaf = None
    by_older_reply.save()
    by_catalog = Conversation.objects.create(user=owner, title="Old", model="gpt-4o")
    unknown = Conversation.objects.create(user=owner, title="Old", model="kelp-1")
    by_nobody = Conversation.objects.create(user=owner, title="Old", model="openai/gpt-4.1")
    empty = Conversation.objects.create(user=owner, title="New")
    Conversation.objects.update(provider="")
    for _ in range(2):  # it may be interrupted and run again
        run_migration("fill_conversations")
        found = dict(Conversation.objects.values_list("pk", "provider"))
        assert found == {
            by_leaf.pk: "hostb",
            by_older_reply.pk: "router",
            by_catalog.pk: "openai",
            unknown.pk: "",
            by_nobody.pk: "",
            empty.pk: "",
        }


def test_the_migration_fills_the_provider_of_every_override(owner: User) -> None:
    ModelOverride.objects.create(model_id="gpt-4o")
    ModelOverride.objects.create(model_id="gpt-4.1", provider="nobody")  # it had no effect
    ModelOverride.objects.create(model_id="kelp-1", provider="google")
    ModelOverride.objects.create(model_id="openai/gpt-4.1", provider="router")
    ModelOverride.objects.create(model_id="openai:gpt-4.1")
    run_migration("fill_overrides")
    assert dict(ModelOverride.objects.values_list("model_id", "provider")) == {
        "gpt-4o": "openai",
        "gpt-4.1": "openai",
        "kelp-1": "google",
        "openai/gpt-4.1": "router",
        "openai:gpt-4.1": "",
    }


def test_a_model_without_a_system_role_gets_the_prompt_in_the_first_turn(owner: User) -> None:
    row = {"id": "hostc", "url": URLS["hosta"], "models": ["kelp"], "takes": {"system": False}}
    catalog.register_provider(*parse_provider_config(row))
    reply = start_reply(owner, "Why?", model="hostc:kelp", system_prompt="Be kind.")
    request = replies.prepare(claim_reply(reply), StreamText("")).request
    assert (request.system, [turn.text for turn in request.turns]) == ("", ["Be kind.\n\nWhy?"])


# Overrides, refused parameters, prices and titles of a model


def test_overrides_are_for_the_model_of_one_provider(owner: User) -> None:
    ModelOverride.objects.create(model_id="llama3.3", provider="hosta", label="A")
    ModelOverride.objects.create(model_id="llama3.3", provider="hostb", hidden=True)
    ModelOverride.objects.create(model_id="gpt-5.5", label="By name")
    assert model_catalog.get_model(owner, "llama3.3", "hosta").label == "A"
    with pytest.raises(catalog.UnknownModel):
        model_catalog.get_model(owner, "llama3.3", "hostb")
    assert model_catalog.get_model(owner, "gpt-5.5", "openai").label == "By name"
    assert model_catalog.get_model(owner, "gpt-5.5", "router").label == "gpt-5.5"


def test_a_refused_parameter_is_that_of_one_server(owner: User) -> None:
    model_catalog.store_unsupported_parameter(
        model_catalog.get_model(owner, "llama3.3", "hostb"), "temperature"
    )
    assert not model_catalog.get_model(owner, "llama3.3", "hostb").takes_temperature
    assert model_catalog.get_model(owner, "llama3.3", "hosta").takes_temperature
    model_catalog.store_unsupported_parameter(
        model_catalog.get_model(owner, LONG_NAME, "hostb"), "max_tokens"
    )
    assert RefusedParameter.objects.filter(model_id=LONG_NAME).exists()


def test_a_router_reply_has_no_price_of_the_catalog(owner: User) -> None:
    assert model_catalog.get_model(owner, "gpt-5.5", "openai").price
    assert model_catalog.get_model(owner, "gpt-5.5", "router").price is None


def test_a_title_is_written_by_the_server_of_the_reply(owner: User) -> None:
    reply = start_reply(owner, model="router:gpt-5.5")
    assert find_cheapest_model(reply.conversation, reply.answer) == "gpt-5.5"


def test_two_keys_may_list_the_same_name(owner: User) -> None:
    for provider in ("openai", "google"):
        key = keys.save(owner, provider, SECRET)
        listed = (ModelInfo("kelp-1", max_output=len(provider)),)
        checking.save_result(key, checking.KeyCheck(provider, KeyStatus.VALID, listed))
    assert model_catalog.get_model(owner, "kelp-1", "openai").max_output == 6
    assert model_catalog.get_model(owner, "kelp-1", "google").max_output == 6
    models = model_catalog.load_models(owner)
    assert all(model_catalog.find_model(models, m.form_value) == m for m in models.values())
    keys.remove(owner, "google")
    assert model_catalog.get_model(owner, "kelp-1").form_value == "kelp-1"
