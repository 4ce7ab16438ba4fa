"""The headers of every response."""

from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client

from config.security import CONTENT_SECURITY_POLICY, add_security_headers


def check(headers: dict[str, str]) -> None:
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_every_answer_carries_the_headers(client: Client) -> None:
    check(dict(client.get("/nowhere/").headers))


async def test_an_answer_from_an_async_server_carries_them_too() -> None:
    check(dict((await AsyncClient().get("/nowhere/")).headers))


def test_nothing_inline_and_nothing_from_elsewhere_is_allowed() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'; script-src 'self'")


def test_a_view_may_set_a_policy_of_its_own() -> None:
    own = HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"})
    answer = add_security_headers(lambda request: own)(HttpRequest())
    assert isinstance(answer, HttpResponse)
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"


def test_a_host_that_is_not_ours_is_refused(client: Client) -> None:
    assert client.get("/nowhere/", headers={"host": "elsewhere.example"}).status_code == 400
