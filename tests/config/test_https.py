"""An installation whose origins are all https redirects plain HTTP if a proxy reports it, and sends
HSTS."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from config.early_answers import build_scope, complete_answers
from config.https import build_hsts_value, is_https
from tests.config.https_site import HOST, ORIGIN, ProxiedBrowser

OpenBrowser = Callable[..., ProxiedBrowser]
HSTS = b"strict-transport-security"


@pytest.mark.parametrize("path", ["/", "/accounts/login/?next=/c/", "/admin/", "/static/x.css"])
def test_plain_http_is_redirected(open_browser: OpenBrowser, path: str) -> None:
    response = open_browser(proto="http").get(path)
    assert (response.status_code, response.headers["location"]) == (301, f"{ORIGIN}{path}")


def test_the_health_check_is_not_redirected(open_browser: OpenBrowser) -> None:
    browser = open_browser(proto="http")
    response = browser.get("/healthz", headers={"Host": "10.0.0.7:8000"})
    assert (response.status_code, response.text) == (200, "ok\n")


def test_a_proxy_that_names_no_scheme_is_believed_to_end_tls(
    open_browser: OpenBrowser,
) -> None:
    browser = open_browser(proto="")
    response = browser.get("/accounts/login/")
    assert response.status_code == 200
    assert response.headers["strict-transport-security"] == "max-age=31536000"


def test_another_host_is_not_redirected(open_browser: OpenBrowser) -> None:
    browser = open_browser(proto="http")
    response = browser.get("/", headers={"Host": "elsewhere.example"})
    assert response.status_code == 400
    assert HOST not in response.text


@pytest.mark.parametrize(
    ("https", "proxies", "headers", "scheme", "expected"),
    [
        (False, 0, [], "http", False),
        (False, 0, [], "https", True),
        (True, 0, [(b"x-forwarded-proto", b"https")], "http", False),
        (True, 1, [(b"x-forwarded-proto", b"https")], "http", True),
        (True, 1, [(b"X-Forwarded-Proto", b"https, http")], "ws", True),
        (True, 1, [(b"x-forwarded-proto", b"http")], "https", False),
        (True, 1, [], "http", True),
        (False, 1, [], "http", False),
    ],
)
def test_the_scheme_of_a_client_is_what_the_proxy_says(
    settings: Any, https: bool, proxies: int, headers: Any, scheme: str, expected: bool
) -> None:
    settings.HTTPS, settings.TRUSTED_PROXY_COUNT = https, proxies
    assert is_https({"headers": headers, "scheme": scheme}) is expected


async def test_an_error_before_django_has_the_headers_too(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 60
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    sent: list[Any] = []

    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(ZeroDivisionError):
        await complete_answers(fail)(build_scope("GET", b"/c/", [], "https"), send, send)
    start, body = sent
    headers = dict(start["headers"])
    assert (start["status"], headers[b"x-frame-options"]) == (500, b"DENY")
    assert headers[HSTS] == build_hsts_value().encode() == b"max-age=60; includeSubDomains"
    assert body["body"] == b"Something went wrong here. Try again in a moment.\n"


async def test_an_error_before_django_has_the_shape_of_its_address(settings: Any) -> None:
    settings.API_ORIGINS = ["https://app.example"]
    sent: list[Any] = []

    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    async def send(message: Any) -> None:
        sent.append(message)

    scope = build_scope("GET", b"/api/models", [(b"Origin", b"https://app.example")], "http")
    with pytest.raises(ZeroDivisionError):
        await complete_answers(fail)(scope, send, send)
    start, body = sent
    headers = dict(start["headers"])
    assert headers[b"access-control-allow-origin"] == b"https://app.example"
    assert (start["status"], json.loads(body["body"])["code"]) == (500, "server_error")


async def test_an_error_after_the_first_byte_is_left_to_the_server() -> None:
    sent: list[Any] = []

    async def fail(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(ZeroDivisionError):
        await complete_answers(fail)(build_scope("GET", b"/c/", [], "http"), send, send)
    [start] = sent
    assert HSTS not in dict(start["headers"])
