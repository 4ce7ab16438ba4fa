"""The headers of every response."""

from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client

from config.security import CONTENT_SECURITY_POLICY, add_security_headers


def assert_security_headers(headers: dict[str, str]) -> None:
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_every_response_has_the_security_headers(client: Client) -> None:
    assert_security_headers(dict(client.get("/nowhere/").headers))


async def test_a_response_of_an_async_server_has_them_too() -> None:
    assert_security_headers(dict((await AsyncClient().get("/nowhere/")).headers))


def test_inline_and_foreign_content_is_forbidden() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'; script-src 'self'")


def test_a_view_may_set_its_own_policy() -> None:
    response_with_own_policy = HttpResponse(
        headers={"Content-Security-Policy": "default-src 'none'"}
    )
    answer = add_security_headers(lambda request: response_with_own_policy)(HttpRequest())
    assert isinstance(answer, HttpResponse)
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"


def test_a_foreign_host_is_refused(client: Client) -> None:
    assert client.get("/nowhere/", headers={"host": "elsewhere.example"}).status_code == 400
