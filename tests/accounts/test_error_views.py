"""The responses during an outage of the database, and after other errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware
from django.contrib.sessions.models import Session
from django.db.utils import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from accounts.models import User
from config import error_views
from streaming.outage import OutageMonitor

GONE = OperationalError("the connection is lost")
GONE.__cause__ = psycopg.OperationalError("server closed the connection unexpectedly")


@pytest.fixture(autouse=True)
def reset_outage(monkeypatch: pytest.MonkeyPatch) -> OutageMonitor:
    """Give the client a database that answers every query."""
    reset_outage = OutageMonitor(lambda: None)
    monkeypatch.setattr(error_views, "outage_monitor", reset_outage)
    return reset_outage


@pytest.fixture
def signed_in_client(client: Client, owner: User) -> Client:
    client.force_login(owner)
    client.raise_request_exception = False
    return client


def raise_on_call(error: Exception) -> Callable[..., Any]:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/settings/keys/", "/admin/"])
def test_a_page_reports_an_outage(
    signed_in_client: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    path: str,
) -> None:
    monkeypatch.setattr(SessionStore, "_get_session_from_db", raise_on_call(GONE))
    response = signed_in_client.get(path)
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert "can’t reach its database" in response.text
    assert not any(record.exc_info for record in caplog.records)


def test_during_an_outage_a_script_gets_a_message_and_a_form_can_be_sent_again(
    signed_in_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SessionStore, "_get_session_from_db", raise_on_call(GONE))
    fragment = signed_in_client.post("/c/", {"text": "Hello"}, headers={"HX-Request": "true"})
    assert fragment.status_code == 503
    assert fragment.text == f"{error_views.UNAVAILABLE_MESSAGE}\n"
    assert "sends it again" in signed_in_client.post("/c/", {"text": "Hello"}).text


def test_a_session_that_could_not_be_saved_is_not_called_deleted(
    signed_in_client: Client, rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        request.session["more"] = 1
        return HttpResponse()

    request = rf.get("/")
    request.COOKIES = {name: morsel.value for name, morsel in signed_in_client.cookies.items()}
    monkeypatch.setattr(Session, "save", raise_on_call(GONE))
    with pytest.raises(SessionInterrupted) as interrupted:
        SessionMiddleware(view)(request)
    assert error_views.bad_request(request, interrupted.value).status_code == 503
    assert error_views.bad_request(request, SessionInterrupted()).status_code == 400


def test_every_other_error_is_logged_with_its_traceback(
    signed_in_client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for fault in (ZeroDivisionError(), OperationalError("deadlock detected")):
        caplog.clear()
        monkeypatch.setattr(SessionStore, "_get_session_from_db", raise_on_call(fault))
        response = signed_in_client.get("/")
        assert response.status_code == 500
        assert "Retry-After" not in response
        [record] = [record for record in caplog.records if record.exc_info]
        assert record.exc_info
        assert record.exc_info[1] is fault
