"""The composer: its models, its settings, and its hints before a message is sent."""

import re
import uuid

import pytest
from django.test import Client

from accounts.api_keys import keys
from accounts.models import ApiKey, KeyStatus, ListedModel, User
from chat.replies import Reply
from streaming.providers import catalog
from tests.chat.factories import (
    QUESTION,
    finish_reply,
    get_path,
    read_html,
    read_text_box,
    start_reply,
)

KEY = "sk-harbour-0123456789-ab12"


def test_a_new_chat_offers_the_demo_without_a_key(as_owner: Client) -> None:
    shown = read_html(as_owner.get("/"))
    assert "The demo only talks about kelp." in shown
    assert "Replies survive reloads." in shown
    assert re.search(r'<option value="demo" selected(?![^>]* disabled)', shown)


def test_models_without_a_key_are_listed_but_disabled(as_owner: Client, owner: User) -> None:
    assert re.search(
        r'<option value="gpt-4.1"[^>]* disabled>GPT-4.1 \(No API key\)</option>',
        read_html(as_owner.get("/")),
    )
    keys.save(owner, "openai", KEY)
    assert re.search(
        r'<option value="gpt-4.1"[^>]*[^d]>GPT-4.1</option>', read_html(as_owner.get("/"))
    )


def test_a_new_chat_starts_with_the_last_used_model(as_owner: Client, owner: User) -> None:
    start_reply(owner, QUESTION, model="demo-fast")
    shown = read_html(as_owner.get("/"))
    assert re.search(r'<option value="demo-fast" selected(?![^>]* disabled)', shown)


def read_selected_model(shown: str) -> str:
    found = re.search(r'<option value="([^"]+)"[^>]* selected', shown)
    return found[1] if found else ""


def read_model_groups(shown: str) -> list[str]:
    return re.findall(r'<optgroup label="([^"]+)">', shown)


def test_once_a_key_works_a_new_chat_starts_with_its_providers_best_model(
    as_owner: Client, owner: User
) -> None:
    demo = start_reply(owner, QUESTION, model="demo-fast")
    assert read_model_groups(read_html(as_owner.get("/")))[0] == "Demo"
    keys.save(owner, "anthropic", KEY)
    shown = read_html(as_owner.get("/"))
    assert read_selected_model(shown) == "claude-opus-5-5"
    assert read_model_groups(shown)[-1] == "Demo"
    assert 'data-recent=""' in shown
    assert "The demo model is ready" not in shown
    assert read_selected_model(read_html(as_owner.get(get_path(demo)))) == "demo-fast", (
        "it was chosen for this chat"
    )


def test_the_last_used_real_model_that_works_goes_before_the_best(
    as_owner: Client, owner: User
) -> None:
    keys.save(owner, "openai", KEY)
    keys.save(owner, "anthropic", KEY)
    start_reply(owner, QUESTION, model="gpt-4.1")
    start_reply(owner, QUESTION, model="claude-haiku-5-5")
    start_reply(owner, QUESTION, model="demo")
    assert read_selected_model(read_html(as_owner.get("/"))) == "claude-haiku-5-5"
    assert 'data-recent="claude-haiku-5-5 gpt-4.1"' in read_html(as_owner.get("/"))
    keys.remove(owner, "anthropic")
    assert read_selected_model(read_html(as_owner.get("/"))) == "gpt-4.1"


def test_the_best_model_is_one_that_the_provider_lists_for_the_key(
    as_owner: Client, owner: User
) -> None:
    key = keys.save(owner, "openai", KEY)
    for position, name in enumerate(["gpt-4.1", "gpt-5.5", "a-new-one"]):
        ListedModel.objects.create(key=key, position=position, model_id=name)
    assert read_selected_model(read_html(as_owner.get("/"))) == "gpt-5.5"


def test_with_a_rejected_key_a_new_chat_starts_with_the_demo(as_owner: Client, owner: User) -> None:
    key = keys.save(owner, "openai", KEY)
    ApiKey.objects.filter(pk=key.pk).update(check_result=KeyStatus.INVALID)
    assert read_selected_model(read_html(as_owner.get("/"))) == "demo"


def test_a_server_without_a_key_comes_before_the_demo(
    as_owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = catalog.Provider("lab", "Lab", needs_key=False, base_url="http://127.0.0.1:1/v1")
    monkeypatch.setitem(catalog.PROVIDERS, "lab", lab)
    model = catalog.model_from_id("llama3.3", lab)
    monkeypatch.setitem(catalog._MODELS_BY_KEY, model.key, model)
    shown = read_html(as_owner.get("/"))
    assert (read_selected_model(shown), read_model_groups(shown)[-1]) == ("lab:llama3.3", "Demo")


def test_a_conversation_whose_key_was_removed_says_so_before_sending(
    as_owner: Client, owner: User
) -> None:
    keys.save(owner, "openai", KEY)
    reply = start_reply(owner, QUESTION, model="gpt-4.1")
    keys.remove(owner, "openai")
    shown = read_html(as_owner.get(get_path(reply)))
    assert "No OpenAI API key." in shown


def test_every_page_has_a_request_id_of_its_own(as_owner: Client) -> None:
    found = [
        re.search(r'name="request_id" value="([^"]+)"', read_html(as_owner.get("/")))
        for _ in range(2)
    ]
    first, second = (uuid.UUID(match[1]) for match in found if match)
    assert first != second


def test_a_link_can_fill_in_a_new_chat(as_owner: Client) -> None:
    shown = read_html(as_owner.get("/", {"text": '"Hello" </textarea>', "model": "demo-slow"}))
    assert read_text_box(shown) == '"Hello" </textarea>'
    assert re.search(r'<option value="demo-slow"[^>]* selected', shown)


def test_the_composer_stops_the_reply_that_runs(as_owner: Client, reply: Reply) -> None:
    running = f'formaction="/s/{reply.stream.uuid}/stop/"'
    assert running in read_html(as_owner.get(get_path(reply)))
    finish_reply(reply)
    shown = read_html(as_owner.get(get_path(reply)))
    assert running not in shown
    assert "data-running" not in shown
