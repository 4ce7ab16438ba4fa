"""Saving a key checks it at its provider, through the real SDK and a socket."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts import providers
from accounts.api_keys import checking, keys, views
from accounts.models import ApiKey, KeyStatus, ListedModel, User
from streaming.providers import catalog, listing
from streaming.providers.errors import TimedOut
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.types import ModelInfo

SECRET = "sk-harbour-0123456789-ab12"
OTHER_SECRET = "sk-harbour-9876543210-cd34"
PAGE = "/settings/keys/"
OPENAI = "/settings/keys/openai/"
CHECK_AGAIN = "/settings/keys/openai/check/"

MODEL_LIST = {"data": [{"id": "gpt-6.2-sol", "object": "model", "created": 1, "owned_by": "x"}]}
NO_CREDIT = {"error": {"message": "You exceeded it", "code": "insufficient_quota"}}
ODD_MODEL = {
    "id": "kelp",
    "display_name": "Ke\0lp\ud83c \n" + "p" * 200,
    "lifecycle": "act\0ive" * 9,
    "context_window": 2**40,
}
ECHO = {"error": {"message": f"Incorrect API key: {SECRET}", "code": "invalid_api_key"}}


class KeyServer:
    """A provider's list of models. It sends the scripted response, or nothing until it is
    closed."""

    def __init__(self) -> None:
        self.status, self.body, self.silent = 200, MODEL_LIST, False
        self.requests: list[str] = []
        self.closing = threading.Event()
        key_server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                key_server.requests.append(f"{self.path} {self.headers['Authorization']}")
                if key_server.silent:
                    key_server.closing.wait(30)
                body = json.dumps(key_server.body).encode()
                self.send_response(key_server.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def set_response(self, status: int, body: dict[str, Any]) -> None:
        self.status, self.body = status, body

    @contextmanager
    def run(self) -> Iterator[str]:
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{self.server.server_port}/v1"
        finally:
            self.closing.set()
            self.server.shutdown()
            self.server.server_close()
            thread.join(10)


@pytest.fixture
def key_server(settings: Settings, use_closed_provider_port: None) -> Iterator[KeyServer]:
    key_server = KeyServer()
    with key_server.run() as url:
        settings.OPENAI_BASE_URL = url
        yield key_server


def save_key(client: Client, secret: str = SECRET) -> str:
    answer = client.post(OPENAI, {"key": secret}, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_valid_key_is_saved_with_its_models(
    as_owner: Client, owner: User, key_server: KeyServer
) -> None:
    html = save_key(as_owner)
    assert "OpenAI key saved and verified." in html
    assert '<a href="/?model=gpt-6.2-sol">Start a chat with GPT-6.2 Sol</a>' in html
    key = ApiKey.objects.get(user=owner)
    assert key.check_result == KeyStatus.VALID
    assert key.last_checked_at
    assert [m.model_id for m in key.listed.all()] == ["gpt-6.2-sol"]
    assert key_server.requests == [f"/v1/models Bearer {SECRET}"]
    assert ": Verified<" in html


def test_an_invalid_key_is_refused_with_a_message_and_not_saved(
    as_owner: Client, owner: User, key_server: KeyServer
) -> None:
    key_server.set_response(401, ECHO)
    answer = as_owner.post(OPENAI, {"key": SECRET})
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "OpenAI rejected this key." in html
    assert SECRET not in html
    assert not ApiKey.objects.filter(user=owner).exists()


def test_an_invalid_replacement_leaves_the_key_as_it_was(
    as_owner: Client, owner: User, key_server: KeyServer
) -> None:
    save_key(as_owner)
    key_server.set_response(401, ECHO)
    assert as_owner.post(OPENAI, {"key": OTHER_SECRET}).status_code == 422
    assert keys.decrypt_for_call(owner, "openai") == SECRET
    assert ApiKey.objects.get(user=owner).check_result == KeyStatus.VALID


@pytest.mark.parametrize(
    ("status", "body", "result", "sentence"),
    [
        (403, {"error": {"message": "no"}}, KeyStatus.NO_PERMISSION, "doesn’t let it list models"),
        (429, NO_CREDIT, KeyStatus.NO_CREDIT, "Your account at OpenAI is out of credit."),
        (
            402,
            {"error": {"message": "pay"}},
            KeyStatus.NO_CREDIT,
            "Your account at OpenAI is out of credit.",
        ),
        (429, {"error": {"message": "slow"}}, KeyStatus.UNREACHABLE, "The key couldn’t be checked"),
        (500, {"error": {"message": "oh"}}, KeyStatus.UNREACHABLE, "The key couldn’t be checked"),
        (503, {"error": {"message": "oh"}}, KeyStatus.UNREACHABLE, "The key couldn’t be checked"),
        (404, {"error": {"message": "?"}}, KeyStatus.UNREACHABLE, "The key couldn’t be checked"),
        (200, {"data": [{"id": "kelp"}, {"surprise": 1}]}, KeyStatus.VALID, "saved and verified."),
        (200, {"data": [{"surprise": 1}]}, KeyStatus.UNREADABLE, "that OpenAI sent couldn’t be"),
        (200, {"data": None}, KeyStatus.VALID, "verified. OpenAI lists no models for writing"),
        (200, {"surprise": 1}, KeyStatus.UNREADABLE, "list of models that OpenAI sent couldn’t be"),
    ],
)
def test_after_any_other_error_the_key_is_saved_and_marked(
    as_owner: Client,
    owner: User,
    key_server: KeyServer,
    status: int,
    body: dict[str, Any],
    result: KeyStatus,
    sentence: str,
) -> None:
    key_server.set_response(status, body)
    assert sentence in save_key(as_owner)
    key = ApiKey.objects.get(user=owner)
    assert (key.check_result, keys.decrypt_for_call(owner, "openai")) == (result, SECRET)
    assert len(key_server.requests) == 1


def test_an_unreachable_provider_does_not_prevent_saving_a_key(
    as_owner: Client, owner: User
) -> None:
    assert "The key couldn’t be checked, because OpenAI didn’t respond." in save_key(as_owner)
    assert ApiKey.objects.get(user=owner).check_result == KeyStatus.UNREACHABLE


def test_a_silent_provider_is_waited_for_no_longer_than_the_limit(
    as_owner: Client, owner: User, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_models = listing.list_models_blocking
    monkeypatch.setattr(listing, "list_models_blocking", partial(list_models, seconds=0.2))
    key_server.silent = True
    save_key(as_owner)
    assert ApiKey.objects.get(user=owner).check_result == KeyStatus.UNREACHABLE


def test_a_hanging_event_loop_is_not_waited_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server may not answer, and no timeout of asyncio ends that."""
    hanging = threading.Event()

    class HangingProvider:
        async def list_models(self, key: Secret) -> tuple[ModelInfo, ...]:
            hanging.wait(20)
            return ()

    monkeypatch.setattr(listing, "get_adapter", lambda *who, **options: HangingProvider())
    monkeypatch.setattr(listing, "GRACE_SECONDS", 0.1)
    start = time.monotonic()
    with pytest.raises(TimedOut):
        listing.list_models_blocking("openai", Secret(SECRET), seconds=0.1)
    assert time.monotonic() - start < 15
    hanging.set()


def test_a_key_is_checked_again_on_request(
    as_owner: Client, owner: User, key_server: KeyServer
) -> None:
    save_key(as_owner)
    key_server.set_response(401, ECHO)
    html = as_owner.post(CHECK_AGAIN, follow=True).content.decode()
    assert "OpenAI rejected this key." in html
    assert ": Rejected<" in html
    assert keys.decrypt_for_call(owner, "openai") == SECRET
    assert [m.model_id for m in ListedModel.objects.all()] == ["gpt-6.2-sol"]


def test_a_check_refreshes_the_list_and_does_not_count_as_use(
    as_owner: Client, owner: User, key_server: KeyServer
) -> None:
    save_key(as_owner)
    key_server.set_response(200, {"data": [MODEL_LIST["data"][0] | {"id": "gpt-7-sol"}]})
    as_owner.post(CHECK_AGAIN)
    key = ApiKey.objects.get(user=owner)
    assert [m.model_id for m in key.listed.all()] == ["gpt-7-sol"]
    assert key.last_used_at is None


def test_only_the_owner_of_a_key_can_check_it(
    as_colleague: Client, owner: User, key_server: KeyServer
) -> None:
    keys.save(owner, "openai", SECRET)
    assert as_colleague.post(CHECK_AGAIN).status_code == 302
    assert as_colleague.get(CHECK_AGAIN).status_code == 302
    assert key_server.requests == []
    assert ApiKey.objects.get(user=owner).last_checked_at is None


def test_a_key_that_cannot_be_decrypted_is_not_checked(
    as_owner: Client, owner: User, key_server: KeyServer, settings: Settings
) -> None:
    keys.save(owner, "openai", SECRET)
    settings.MASTER_KEYS = {"newer": bytes(range(32))}
    assert "Please enter it again" in as_owner.post(CHECK_AGAIN, follow=True).content.decode()
    assert key_server.requests == []


def test_the_result_for_a_replaced_key_is_dropped(owner: User) -> None:
    checked_key = keys.save(owner, "openai", SECRET)
    keys.save(owner, "openai", OTHER_SECRET)
    checking.save_result(checked_key, checking.KeyCheck("openai", KeyStatus.INVALID))
    assert ApiKey.objects.get(user=owner).check_result == KeyStatus.UNCHECKED


def test_a_providers_own_list_is_stored_in_order_without_models_that_do_not_chat(
    owner: User, settings: Settings
) -> None:
    settings.OPENAI_BASE_URL = ""
    key = keys.save(owner, "openai", SECRET)
    ids = ["gpt-7", "text-embedding-9", "gpt-7-2027-01-02", "o9-2027-03-04", "x" * 301, "gpt-7"]
    models = tuple(ModelInfo(id, max_output=5) for id in ids)
    checking.save_result(key, checking.KeyCheck("openai", KeyStatus.VALID, models))
    assert [(m.model_id, m.max_output) for m in key.listed.all()] == [
        ("gpt-7", 5),
        ("o9-2027-03-04", 5),
    ]


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
def test_only_a_server_at_another_host_imitates_a_provider(
    settings: Settings, provider: str
) -> None:
    row = catalog.PROVIDERS[provider]
    own = f"https://{row.official_host.upper()}/v1"
    for address, is_imitated in (("", False), (own, False), ("http://127.0.0.1:4000/v1", True)):
        setattr(settings, row.base_url_setting, address)
        assert (address, providers.is_imitated(provider)) == (address, is_imitated)
        adapter: Any = get_adapter(provider, base_url=address)
        wire = getattr(adapter, "responses", adapter)  # OpenAI's has two
        assert (address, wire.is_official) == (address, not is_imitated)


@pytest.mark.parametrize(("listed", "more"), [(620, "120 more are"), (501, "1 more is")])
def test_a_key_whose_list_is_too_long_says_how_many_are_left_out(
    as_owner: Client, key_server: KeyServer, listed: int, more: str
) -> None:
    key_server.set_response(
        200, {"data": [{"id": f"kelp-{number:04}-b"} for number in range(listed)]}
    )
    html = save_key(as_owner)
    assert f"It lists {listed} models; 500 of them are offered." in html
    assert f"500 ({more} listed and not offered)" in html


def test_a_key_of_an_imitating_server_says_how_many_names_it_leaves_out(
    as_owner: Client, owner: User, key_server: KeyServer
) -> None:
    names = ["kelp", "kelp-20260102", "kelp-search", "kelp-embedding"]
    key_server.set_response(200, {"data": [{"id": name} for name in names]})
    html = save_key(as_owner)
    assert "It lists 4 models; 3 of them are offered." in html
    assert "3 (1 more is listed and not offered)" in html
    assert [m.model_id for m in ListedModel.objects.all()] == names[:3]


def test_the_lists_own_words_about_a_model_count_more_than_its_name(owner: User) -> None:
    key = keys.save(owner, "openai", SECRET)
    models = (
        ModelInfo("embedded-chat", writes_text=True),
        ModelInfo("kelp-embed"),
        ModelInfo("kelp", writes_text=False),
    )
    checking.save_result(key, checking.KeyCheck("openai", KeyStatus.VALID, models))
    assert [m.model_id for m in key.listed.all()] == ["embedded-chat"]


def test_odd_models_of_a_list_are_stored(as_owner: Client, key_server: KeyServer) -> None:
    key_server.set_response(200, {"data": [ODD_MODEL]})
    assert "OpenAI key saved and verified." in save_key(as_owner)
    (model,) = ListedModel.objects.all()
    assert model.label.startswith("Ke\ufffdlp\ufffd ppp")
    assert (len(model.label), len(model.availability)) == (100, 30)
    assert model.context_window is None


@pytest.mark.parametrize("name", ["ke\0lp", "kelp\ud83c", "ke\nlp"])
def test_a_model_whose_name_cannot_be_stored_is_left_out(owner: User, name: str) -> None:
    models = (ModelInfo(name), ModelInfo("wrack"))
    assert checking.select_models("openai", models) == ([ModelInfo("wrack")], 0)


def test_the_list_is_deleted_with_the_key(owner: User) -> None:
    key = keys.save(owner, "openai", SECRET)
    checking.save_result(key, checking.KeyCheck("openai", KeyStatus.VALID, (ModelInfo("gpt-7"),)))
    keys.remove(owner, "openai")
    assert not ListedModel.objects.exists()


def test_a_user_can_check_ten_keys_a_minute(
    as_owner: Client,
    as_colleague: Client,
    owner: User,
    key_server: KeyServer,
) -> None:
    """With both forms together, because otherwise the limit would help thieves to find working
    keys."""
    save_key(as_owner)
    as_owner.post(CHECK_AGAIN)
    for _ in range(views.KEY_CHECK_LIMIT.max_count - 3):
        assert views.KEY_CHECK_LIMIT.counter_for(owner.pk).try_consume()
    key_server.set_response(401, ECHO)
    as_owner.post(OPENAI, {"key": "sk-stolen-0123456789-0001"})
    as_owner.post(CHECK_AGAIN)
    assert len(key_server.requests) == 3
    answer = as_owner.post(OPENAI, {"key": SECRET})
    assert answer.status_code == 422
    assert "Not saved. Too many keys were checked" in answer.content.decode()
    assert SECRET not in answer.content.decode()
    key_server.set_response(200, MODEL_LIST)
    save_key(as_colleague)
    assert len(key_server.requests) == 4
