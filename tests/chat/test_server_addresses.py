"""The address of a server may hold a password. No row, page, error or log line shows it."""

from __future__ import annotations

import json
import logging
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.providers import describe_address
from chat import model_catalog
from chat.model_catalog import unsupported_parameters
from chat.models import ModelOverride, RefusedParameter
from config.security import AlwaysRedact
from streaming.providers import errors
from streaming.providers.listing import list_models_blocking
from streaming.providers.redaction import Secret, list_address_secrets, make_redactor
from streaming.providers.registry import get_adapter
from streaming.providers.types import Request, Turn
from streaming.sources import get_periodic_tasks
from tests.factories import create_signed_in_client
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

PASSWORD = "tidal-pool-9471-barnacle"
ADDRESS = f"http://keeper:{PASSWORD}@proxy.example.org:8080/v1?token={PASSWORD}"
MODEL = "gpt-6.2-sol"
CLOSED_URL = "http://127.0.0.1:9/v1"


def test_the_id_of_an_address_has_its_host_and_no_secret() -> None:
    described = describe_address(ADDRESS)
    assert described.startswith("proxy.example.org:8080 ")
    assert PASSWORD not in described
    assert "keeper" not in described


def test_other_servers_have_other_ids() -> None:
    addresses = [
        "http://proxy.example.org/v1",
        "https://proxy.example.org/v1",
        "http://proxy.example.org/v2",
        "http://proxy.example.org:81/v1",
        "http://[::1/",
    ]
    assert len({*map(describe_address, addresses)}) == len(addresses)
    assert describe_address("http://a:b@x.example/v1") == describe_address(
        "http://x.example/v1?k=1"
    )


@pytest.mark.django_db
def test_a_refused_parameter_is_stored_without_the_password(
    owner: User, settings: Settings
) -> None:
    settings.OPENAI_BASE_URL = ADDRESS
    model = model_catalog.get_model(owner, MODEL)
    model_catalog.store_unsupported_parameter(model, "temperature")
    [row] = RefusedParameter.objects.all()
    assert PASSWORD not in row.endpoint
    assert not model_catalog.get_model(owner, model.id).takes_temperature
    owner.is_staff = owner.is_superuser = True
    owner.save()
    client = create_signed_in_client(owner)
    page = client.get("/admin/chat/refusedparameter/").content.decode()
    assert "proxy.example.org" in page
    assert PASSWORD not in page
    settings.OPENAI_BASE_URL = "http://another.example.org/v1"
    assert unsupported_parameters.build_endpoint_id("openai") != row.endpoint


def store_old_rows() -> None:
    for parameter in ("temperature", "max_tokens"):
        RefusedParameter.objects.create(
            endpoint=f"openai {ADDRESS}", model_id=MODEL, parameter=parameter
        )
    RefusedParameter.objects.create(endpoint="openai", model_id=MODEL, parameter="store")
    RefusedParameter.objects.create(
        endpoint=f"openai {describe_address(ADDRESS)}", model_id=MODEL, parameter="max_tokens"
    )


EXPECTED = [
    ("openai", "store"),
    (f"openai {describe_address(ADDRESS)}", "max_tokens"),
    (f"openai {describe_address(ADDRESS)}", "temperature"),
]


@pytest.mark.django_db
def test_the_migration_hides_the_addresses_of_older_rows() -> None:
    store_old_rows()
    import_module("chat.migrations.0013_hide_addresses").hide_addresses(apps, None)
    rows = RefusedParameter.objects.order_by("endpoint", "parameter")
    assert list(rows.values_list("endpoint", "parameter")) == EXPECTED


@pytest.mark.django_db
def test_a_worker_hides_the_addresses_that_an_older_process_stores_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert unsupported_parameters.hide_addresses in get_periodic_tasks()
    store_old_rows()
    monkeypatch.setattr(unsupported_parameters, "MAX_REWRITTEN_AT_ONCE", 1)
    for remaining in (1, 0):
        unsupported_parameters.hide_addresses()
        assert RefusedParameter.objects.filter(endpoint__contains="://").count() == remaining
    rows = RefusedParameter.objects.order_by("endpoint", "parameter")
    assert list(rows.values_list("endpoint", "parameter")) == EXPECTED


def with_password(url: str) -> str:
    return url.replace("://", f"://keeper:{PASSWORD}@")


@pytest.mark.parametrize("kind", ["echo", "away"])
async def test_no_error_and_no_log_line_of_a_call_shows_the_password(
    fake: Fake, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.DEBUG)
    url = with_password(fake.openai if kind == "echo" else CLOSED_URL)
    echo = f"Cannot POST {with_password(fake.openai)}/models?token={PASSWORD}"
    fake.script(Behaviour(error=ErrorAnswer(400, {"error": {"message": echo}})))
    request = Request(MODEL, (Turn("user", "Kelp?"),))
    with pytest.raises(errors.ProviderError) as failure:
        async for _ in get_adapter("openai", base_url=url).stream(request, Secret("sk-01234567")):
            pass
    with pytest.raises(errors.ProviderError) as unlisted:
        list_models_blocking("openai", Secret("sk-01234567"), base_url=with_password(CLOSED_URL))
    shown = "".join(f"{e.value} {e.value!r} {vars(e.value)}" for e in (failure, unlisted))
    shown += "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert ("Cannot POST" in shown) == (kind == "echo")
    assert PASSWORD not in shown


def test_all_forms_of_a_password_in_an_address_are_redacted() -> None:
    redact = make_redactor(*list_address_secrets(f"http://keeper:p%40ss-{PASSWORD}@x.example/?k=1"))
    for text in (
        f"http://keeper:p%40ss-{PASSWORD}@x.example/",
        f"the password p@ss-{PASSWORD} is wrong",
        "Authorization: Basic a2VlcGVyOnBAc3MtdGlkYWwtcG9vbC05NDcxLWJhcm5hY2xl",
    ):
        assert PASSWORD not in redact(text)
        assert "a2VlcGVyOnBAc3MtdGlkYWw" not in redact(text)
    assert list_address_secrets("http://[::1") == ()


def test_the_page_of_an_error_shows_no_password_of_an_address(settings: Settings) -> None:
    settings.REDIS_URL = f"redis://:{PASSWORD}@127.0.0.1/0"
    settings.OPENAI_BASE_URL = ADDRESS.partition("?")[0]
    settings.COMPATIBLE_PROVIDERS = [{"id": "kelp", "url": with_password("http://kelp.example")}]
    shown: dict[str, Any] = AlwaysRedact().get_safe_settings()
    assert PASSWORD not in str(shown)
    assert "127.0.0.1/0" in shown["REDIS_URL"]


@pytest.mark.django_db
def test_the_health_check_and_the_pages_of_visitors_show_no_address(settings: Settings) -> None:
    settings.OPENAI_BASE_URL = ADDRESS
    for path in ("/", "/accounts/login/", "/nothing/", "/healthz"):
        assert PASSWORD not in Client().get(path).content.decode()


def test_an_invalid_row_of_providers_is_reported_without_its_values() -> None:
    from streaming.providers.catalog.compatible import InvalidProviderConfig, parse_provider_config

    row = {"id": "kelp", "url": with_password("ftp://kelp.example"), "headers": {"X": PASSWORD}}
    with pytest.raises(InvalidProviderConfig) as problem:
        parse_provider_config(row, 1)
    assert PASSWORD not in str(problem.value)
    assert PASSWORD in json.dumps(row)


def test_overrides_hold_no_address() -> None:
    assert not any("url" in field.name for field in ModelOverride._meta.get_fields())
    assert django_settings.DEFAULT_EXCEPTION_REPORTER_FILTER == "config.security.AlwaysRedact"
