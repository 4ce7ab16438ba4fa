"""The logs contain no text, key, e-mail address or network address of a person."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from django.db import connection
from django.db.utils import Error

from accounts.models import User
from config.logs import ErrorTextFilter, describe_error, path_for_log
from tests.config.https_site import (
    BROKEN_SITE,
    CLIENT_ADDRESS,
    ENVIRONMENT,
    HOST,
    ORIGIN,
    ProxiedBrowser,
    send_raw,
    sign_up_administrator,
)
from tools.deployment.deployment import Deployment, Server
from tools.waiting import until

pytestmark = pytest.mark.prove  # takes longer than a daily run allows

CANARY = "canary"
EMAIL = f"{CANARY}.person@example.com"
PROMPT = f"my {CANARY} prompt"
KEY = f"sk-{CANARY}-0123456789abcdef"
PASSWORD = f"{CANARY}-holds-fast-7"
RESET = "/accounts/password/reset/"
LAST = f"{RESET}done/"


def list_requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for typed in (EMAIL, PROMPT, f"{KEY}\n\x1b[31m"):
        text = quote(typed, safe="")
        for path in (f"/{text}", f"/c/{text}/", f"/static/{text}.css", f"/accounts/{text}/"):
            yield "GET", path, {}
        for path in ("/", "/accounts/login/", "/nowhere/", "/healthz", "/admin/"):
            yield "GET", f"{path}?text={text}&next={text}", {}
        for kind in ("text", "row", "mail", "group"):
            yield "GET", f"/broken/{kind}/?text={text}", {}
        headers = {"Referer": f"{ORIGIN}/{text}", "User-Agent": text, "HX-Request": "true"}
        yield "GET", f"/accounts/password/reset/key/1-{text}/", {"headers": headers}
        yield "POST", f"/c/?{text}", {"headers": {"Origin": f"https://{text}.example"}}
        yield "POST", "/accounts/login/", {"headers": {"Referer": f"https://{text}.example/"}}
        yield text[:20], "/", {}
        for name in ("Host", "Cookie", "X-Forwarded-For", "Content-Type", "Last-Event-ID"):
            yield "GET", "/", {"headers": {name: text}}


def sign_in_in_all_ways(browser: ProxiedBrowser) -> None:
    for password in (PASSWORD, "wrong"):
        browser.post("/accounts/login/", {"login": EMAIL, "password": password})
    browser.post("/accounts/signup/", {"email": EMAIL, "password1": PASSWORD})
    browser.post("/accounts/password/reset/", {"email": EMAIL})
    browser.post("/accounts/email/", {"email": f"second.{EMAIL}", "action_add": ""})


def send_text(browser: ProxiedBrowser) -> None:
    browser.post("/c/", {"text": PROMPT, "model": "demo-fast"})
    browser.post("/settings/keys/openai/", {"key": KEY})
    browser.post("/drafts/", {"text": PROMPT})


def open_sockets(port: int) -> None:
    upgrade = f"Host: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    client = f"X-Forwarded-For: {CLIENT_ADDRESS}\r\n"
    for headers in (
        upgrade + client,
        upgrade + key + client,
        upgrade + key + client + f"Origin: https://{CANARY}.example\r\n",
        upgrade + key + client + f"Origin: {ORIGIN}\r\nCookie: sessionid={CANARY}\r\n",
        upgrade + key + client + f"Sec-WebSocket-Protocol: {CANARY}\xff\r\n",
        upgrade.replace(HOST, f"{CANARY}.example") + key + client,
    ):
        for path in (f"/ws/?{CANARY}", f"/{CANARY}"):
            send_raw(port, f"GET {path} HTTP/1.1\r\n{headers}\r\n".encode("latin-1"))
    for line in (f"GET /{CANARY}\xff HTTP/1.1", f"{CANARY} /", f"GET /?{CANARY}\xff HTTP/1.1"):
        send_raw(port, f"{line}\r\nHost: {CANARY}\r\n{client}\r\n".encode("latin-1"))


def find_leaks(deployment: Deployment, administrator: ProxiedBrowser) -> list[str]:
    """Do all of it, and return the lines of all processes that contain something of a person."""
    visitor = ProxiedBrowser(deployment)
    for number, (method, path, options) in enumerate(list_requests()):
        (visitor, administrator)[number % 2].request(method, path, **options)
    events = f"/api/streams/events?streams={CANARY}"
    visitor.get(events, headers={"Last-Event-ID": CANARY})
    sign_in_in_all_ways(visitor)
    sign_in_in_all_ways(administrator)
    send_text(administrator)
    open_sockets(deployment.web.port)
    visitor.get(LAST)
    visitor.close()
    until(lambda: LAST in deployment.web.output(), what="the last request in the log")
    lines = [line for program in deployment.programs for line in program.output().splitlines()]
    assert any("Traceback" in line for line in lines)
    peers = ("127.0.0.1:", CLIENT_ADDRESS)
    started = ("Listening on", "Starting server", "running on", "endpoint")
    return [
        line
        for line in lines
        if CANARY in line.lower()
        or (any(peer in line for peer in peers) and not any(word in line for word in started))
    ]


def test_logs_contain_nothing_of_a_person(
    https_deployment: Deployment, administrator: ProxiedBrowser
) -> None:
    cookies = dict(administrator.cookies)
    assert find_leaks(https_deployment, administrator) == []
    administrator.cookies = cookies


@pytest.mark.prove
@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_logs_of_a_stack_contain_nothing_of_a_person(postgres_server: Any, server: Server) -> None:
    environment = ENVIRONMENT | BROKEN_SITE
    with Deployment(
        "stack", server=server, environment=environment, database_server=postgres_server
    ) as deployment:
        administrator = sign_up_administrator(deployment, EMAIL)
        assert find_leaks(deployment, administrator) == []
        administrator.close()


def test_without_a_mail_server_no_visitor_writes_addresses_and_links_into_the_log() -> None:
    with Deployment("embedded", environment=ENVIRONMENT) as deployment:
        sign_up_administrator(deployment, EMAIL).close()
        visitor = ProxiedBrowser(deployment)
        for address in (EMAIL, f"unknown.{EMAIL}"):
            assert visitor.post(RESET, {"email": address}).headers["Location"] == LAST
        visitor.close()
        deployment.web.stop()  # it sends all waiting mails before it ends
        output = deployment.web.output()
    assert CANARY not in output.lower()
    assert "/reset/key/" not in output


@pytest.mark.django_db
def test_a_database_error_names_no_value(owner: User) -> None:
    with pytest.raises(Error) as caught:
        User.objects.create(email=owner.email)
    error = caught.value
    assert owner.email in str(error) or connection.vendor == "sqlite"
    record = logging.LogRecord("x", logging.ERROR, "", 0, "%s", (error,), None)
    record.exc_info = (type(error), error, error.__traceback__)
    assert ErrorTextFilter().filter(record)
    text = logging.Formatter().format(record)
    assert owner.email not in text
    assert "IntegrityError" in text
    assert "accounts_user" in describe_error(error)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "/"),
        ("/accounts/login/", "/accounts/login/"),
        (f"/c/{UUID(int=7)}/messages/?text=x", f"/c/{UUID(int=7)}/messages/"),
        ("/someone@example.com", "/…"),
        ("/accounts/password/reset/key/1-secret/", "/accounts/password/reset/key/…/"),
        ("/static/css/base.css", "/static/…/…"),
        ("/a" * 1_000, "/…" * 20),
    ],
)
def test_a_path_in_a_log_has_known_words_only(path: str, shown: str) -> None:
    assert path_for_log(path) == shown
