"""A request stays in one thread until its response is complete, and so does the page of an
error."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from channels.testing import HttpCommunicator
from django.conf import settings
from django.db import connections
from django.http import HttpResponse
from django.utils.module_loading import import_string

from config import error_views, urls
from config.handler import ThreadHandler

HEADERS = [(b"host", b"testserver"), (b"x-forwarded-for", b"203.0.113.7")]
"""A visitor's page queries the database for whether sign-up is open."""


class Seen:
    """Records the thread of each part and its database connection."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.connections: list[Any] = []

    def noting(self, view: Any) -> Any:
        def answer(*given: Any, **named: Any) -> HttpResponse:
            response: HttpResponse = view(*given, **named)
            self.threads.append(threading.get_ident())
            self.connections.append(connections["default"])
            assert self.connections[-1].connection is not None, "no database was asked"
            return response

        return answer


@pytest.mark.parametrize("path", settings.MIDDLEWARE)
def test_every_middleware_has_a_synchronous_form(path: str) -> None:
    assert getattr(import_string(path), "sync_capable", True)


async def test_nothing_is_done_for_a_client_that_left_while_it_waited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered: list[Any] = []

    def answer(handler: Any, request: Any) -> HttpResponse:
        answered.append(request)
        return HttpResponse()

    monkeypatch.setattr(ThreadHandler, "get_response", answer)
    asked = HttpCommunicator(ThreadHandler(), "GET", "/", headers=HEADERS)
    await asked.send_input({"type": "http.request", "body": b""})
    await asked.send_input({"type": "http.disconnect"})
    await asked.wait()
    assert answered == []


@pytest.mark.django_db(transaction=True)
async def test_the_page_of_an_error_is_made_in_its_requests_thread_and_keeps_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Seen()
    monkeypatch.setattr(urls, "handler404", seen.noting(error_views.page_not_found))
    monkeypatch.setattr(ThreadHandler, "get_response", seen.noting(ThreadHandler.get_response))
    asked = HttpCommunicator(ThreadHandler(), "GET", "/nowhere/", headers=HEADERS)
    assert (await asked.get_response())["status"] == 404
    await asked.wait()
    assert seen.threads == [seen.threads[0]] * 2
    assert seen.threads[0] != threading.get_ident()
    assert [used.connection for used in seen.connections] == [None, None]
