"""The lists of servers that need no key are fetched for everybody, and a server that is away keeps
its last one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import JSONField, Value
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import server_lists
from accounts.models import ListStatus, ServerList, User
from accounts.providers import get_base_url
from chat import model_catalog
from streaming.providers import catalog
from streaming.providers.catalog import Provider
from streaming.providers.types import ModelInfo
from tests.accounts.test_key_check import ODD_MODEL, KeyServer
from tests.chat.factories import read_html
from tools.waiting import until

pytestmark = pytest.mark.django_db

LISTED = {"data": [{"id": "kelp", "max_model_len": 4096, "shutdown_date": "2030-01-02"}]}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, use_closed_provider_port: None) -> Iterator[KeyServer]:
    """A server whose row names one model, which its list does not have."""
    monkeypatch.setattr(catalog, "PROVIDERS", {**catalog.PROVIDERS})
    monkeypatch.setattr(catalog, "_MODELS_BY_KEY", {**catalog._MODELS_BY_KEY})
    server = KeyServer()
    with server.run() as url:
        register(url)
        server.set_response(200, LISTED)
        yield server


def register(url: str) -> None:
    provider = Provider("lab", "Lab", needs_key=False, base_url=url)
    catalog.register_provider(provider, (catalog.model_from_id("wrack", provider),))


def list_names(user: User) -> list[str]:
    return [key.name for key in model_catalog.load_models(user) if key.provider == "lab"]


def make_due() -> None:
    ServerList.objects.update(next_check_at="2026-01-01T00:00Z")


def refresh(lab: KeyServer, body: Any = LISTED, status: int = 200) -> None:
    lab.set_response(status, body)
    make_due()
    server_lists.refresh_lists()


def test_models_that_a_server_lists_are_offered_without_a_key(
    lab: KeyServer, owner: User, as_owner: Client
) -> None:
    assert list_names(owner) == ["wrack"]
    server_lists.refresh_lists()
    assert list_names(owner) == ["wrack", "kelp"]
    model = model_catalog.get_model(owner, "kelp", "lab")
    assert (model.context_window, model.shutdown) == (4096, date(2030, 1, 2))
    assert lab.requests == ["/v1/models None"]
    shown = read_html(as_owner.get("/"))
    assert 'value="lab:kelp"' in shown
    assert "data-note" not in shown


def test_what_a_compatible_server_lists_is_offered(
    lab: KeyServer, owner: User, as_owner: Client
) -> None:
    names = [
        *("NousResearch/Meta-Llama-3-8B-Instruct", "hf.co/NousResearch/Hermes-3-GGUF:Q4_K_M"),
        *("claude-x", "claude-x-20250101", "gpt-4o-search-preview", "o3-deep-research"),
        *("Qwen/Qwen2.5-Omni-7B", "my-research-model", "google/translategemma-27b", "live-7b"),
    ]
    other = ["nomic-embed-text:latest", "openai/whisper-1", "bge-reranker-v2-m3", "dall-e-3"]
    refresh(lab, {"data": [{"id": name} for name in names + other]})
    assert list_names(owner) == ["wrack", *names]
    assert "4 more are listed and not offered." in read_html(as_owner.get("/"))


def test_a_page_reads_the_lists_once(lab: KeyServer, as_owner: Client) -> None:
    server_lists.refresh_lists()
    for address in ("/", "/?model=no-such-model"):
        with CaptureQueriesContext(connection) as queries:
            assert as_owner.get(address).status_code == 200
        read = [query["sql"] for query in queries if "accounts_serverlist" in query["sql"]]
        assert ["listed" in sql for sql in read] == [True, False]


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ([{"id": "dulse", "badges": ["new"], "label": 7}], ["wrack", "dulse"]),
        ([{"id": "dulse", "shutdown": "soon", "context_window": "wide"}], ["wrack", "dulse"]),
        ([{"name": "dulse"}, "dulse", None, ["dulse"], {"id": 5}], ["wrack"]),
        ({"models": [{"id": "dulse"}]}, ["wrack"]),
        ("dulse", ["wrack"]),
        (None, ["wrack"]),
    ],
)
def test_a_list_that_another_version_stored_is_read_as_far_as_it_fits(
    lab: KeyServer, owner: User, as_owner: Client, stored: Any, expected: list[str]
) -> None:
    server_lists.refresh_lists()
    ServerList.objects.update(listed=Value(stored, JSONField()), status="resting")
    assert list_names(owner) == expected
    assert as_owner.get("/").status_code == 200


def test_odd_models_of_a_server_are_stored(lab: KeyServer, owner: User, as_owner: Client) -> None:
    refresh(lab, {"data": [ODD_MODEL]})
    model = model_catalog.get_model(owner, "kelp", "lab")
    assert (model.label[:9], len(model.label)) == ("Ke\ufffdlp\ufffd pp", 100)
    assert as_owner.get("/").status_code == 200


def test_workers_do_not_ask_a_server_twice(lab: KeyServer) -> None:
    server_lists.refresh_lists()
    server_lists.refresh_lists()
    assert len(lab.requests) == 1
    refresh(lab)
    assert len(lab.requests) == 2


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"data": 7}, ListStatus.UNREADABLE),
        (500, {"error": {"message": "oh"}}, ListStatus.UNREACHABLE),
        (401, {"error": {"message": "no"}}, ListStatus.REFUSED),
        (404, {"error": {"message": "no"}}, ListStatus.REFUSED),
        (404, {"detail": "Not Found"}, ListStatus.REFUSED),
        (308, {}, ListStatus.REFUSED),
    ],
)
def test_after_a_failure_the_last_list_stays(
    lab: KeyServer, owner: User, status: int, body: Any, expected: ListStatus
) -> None:
    server_lists.refresh_lists()
    refresh(lab, body, status)
    assert list_names(owner) == ["wrack", "kelp"]
    assert ServerList.objects.get().status == expected
    refresh(lab, {"data": []})
    assert (list_names(owner), ServerList.objects.get().status) == (["wrack"], ListStatus.LISTED)


def test_a_server_that_is_away_says_so_beside_its_own_models(
    lab: KeyServer, as_owner: Client
) -> None:
    register("http://127.0.0.1:1/v1")
    server_lists.refresh_lists()
    shown = read_html(as_owner.get("/"))
    assert '<optgroup label="Lab" data-note="It does not respond.">' in shown
    assert 'value="lab:wrack"' in shown


@pytest.mark.parametrize(
    ("body", "note"),
    [({"data": None}, "It lists no models."), ("?", "Its list of models could not be read.")],
)
def test_a_server_without_models_is_shown_with_the_reason(
    lab: KeyServer, as_owner: Client, body: Any, note: str
) -> None:
    for key in [key for key in catalog._MODELS_BY_KEY if key.provider == "lab"]:
        del catalog._MODELS_BY_KEY[key]
    assert 'label="Lab" data-note="Its models are not listed yet."' in read_html(as_owner.get("/"))
    refresh(lab, body)
    assert f'label="Lab" data-note="{note}"' in read_html(as_owner.get("/"))


def test_the_list_of_another_address_is_void(lab: KeyServer, owner: User) -> None:
    server_lists.refresh_lists()
    register("http://127.0.0.1:1/v1")
    assert list_names(owner) == ["wrack"]
    server_lists.refresh_lists()
    assert ServerList.objects.get().listed == []


def test_an_answer_of_the_earlier_address_that_comes_late_is_dropped(lab: KeyServer) -> None:
    earlier = get_base_url("lab")
    server_lists.refresh_lists()
    register("http://127.0.0.1:1/v1")
    server_lists.refresh_lists()
    late = (ListStatus.LISTED, (ModelInfo("kelp"),))
    server_lists._save("lab", earlier, late)
    row = ServerList.objects.get()
    assert (row.status, row.listed) == (ListStatus.UNREACHABLE, [])
    server_lists._save("lab", "http://127.0.0.1:1/v1", late)
    row.refresh_from_db()
    assert (row.status, row.listed) == (ListStatus.LISTED, [{"id": "kelp"}])


def test_a_long_list_is_cut_and_counted(lab: KeyServer, owner: User, as_owner: Client) -> None:
    refresh(lab, {"data": [{"id": f"kelp-{number:04}-b"} for number in range(620)]})
    assert len(list_names(owner)) == 501
    note = "120 more are listed and not offered."
    assert f'<optgroup label="Lab" data-note="{note}">' in read_html(as_owner.get("/"))
    refresh(lab, status=500)
    assert f'data-note="It does not respond. {note}"' in read_html(as_owner.get("/"))


def test_without_such_servers_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {id: p for id, p in catalog.PROVIDERS.items() if not p.base_url}
    monkeypatch.setattr(catalog, "PROVIDERS", known)
    server_lists.start_refresh()
    server_lists.refresh_lists()
    assert not ServerList.objects.exists()
    assert timedelta(minutes=1) > server_lists.REFRESH_INTERVAL


def test_a_refresh_that_fails_is_logged_and_tried_again(
    lab: KeyServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server_lists, "refresh_lists", lambda: 1 / 0)
    for _ in range(2):
        server_lists.start_refresh()
        until(lambda: not server_lists._running.locked(), what="the refresh is over")
    logged = [record for record in caplog.records if record.name == server_lists.__name__]
    assert [record.exc_info and record.exc_info[0] for record in logged] == [ZeroDivisionError] * 2


def test_a_row_that_fails_leaves_the_lists_of_the_others_alone(lab: KeyServer, owner: User) -> None:
    broken = Provider(
        "broken", "Broken", needs_key=False, base_url="http://[::1", adapter="no.such.Adapter"
    )
    catalog.register_provider(broken, ())
    refresh(lab)
    assert list_names(owner) == ["wrack", "kelp"]
    assert ServerList.objects.get(provider="broken").status == ListStatus.UNREACHABLE
