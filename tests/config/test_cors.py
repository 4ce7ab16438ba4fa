"""Pages of the sites in API_ORIGINS may use the API, without cookies; pages of others may not."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest
from pytest_django import Settings

from config.cors import add_cors

SITE = "https://app.example"
Message = dict[str, Any]


@pytest.fixture(autouse=True)
def set_origins(settings: Settings) -> None:
    settings.API_ORIGINS = [SITE]


async def request(path: str, origin: str, method: str = "GET", **headers: str) -> Message:
    """Return the start of the response. An application that was reached answers 200."""
    sent: list[Message] = []

    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Message) -> None:
        sent.append(message)

    pairs = {"origin": origin} if origin else {}
    pairs |= {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in pairs.items()]
    await add_cors(app)({"path": path, "method": method, "headers": raw}, None, send)
    start = sent[0]
    return {"status": start["status"]} | {
        name.decode(): value.decode() for name, value in start["headers"]
    }


PREFLIGHT = {"access_control_request_method": "POST"}


@pytest.mark.parametrize("path", ["/api/conversations", "/v1/responses"])
async def test_a_named_site_may_read_answers_and_send_tokens(path: str) -> None:
    answer = await request(path, SITE)
    assert (answer["status"], answer["access-control-allow-origin"]) == (200, SITE)
    assert answer["vary"] == "Origin"
    preflight = await request(path, SITE, "OPTIONS", **PREFLIGHT)
    assert preflight["status"] == 204
    assert "Authorization" in preflight["access-control-allow-headers"]
    for one in (answer, preflight):
        assert "access-control-allow-credentials" not in one
        assert one["access-control-allow-origin"] != "*"


@pytest.mark.parametrize(
    "origin",
    ["", "null", "*", "https://evil.example", "http://app.example", SITE + ":444", SITE + ".evil"],
)
async def test_no_other_site_may(origin: str) -> None:
    for method, headers in (("GET", {}), ("OPTIONS", PREFLIGHT)):
        answer = await request("/api/conversations", origin, method, **headers)
        assert answer["status"] == 200  # the application answers, and the browser refuses
        assert not [name for name in answer if name.startswith("access-control")]
        assert answer["vary"] == "Origin"


async def test_pages_are_for_no_site(settings: Settings) -> None:
    assert "access-control-allow-origin" not in await request("/c/", SITE)
    settings.API_ORIGINS = []
    assert "access-control-allow-origin" not in await request("/api/conversations", SITE)


async def test_a_door_names_headers_of_its_own() -> None:
    preflight = await request("/v1/stream/notes", SITE, "OPTIONS", **PREFLIGHT)
    assert "If-None-Match" in preflight["access-control-allow-headers"]
    assert "Authorization" in preflight["access-control-allow-headers"]
    answer = await request("/v1/stream/notes", SITE)
    assert "Stream-Next-Offset" in answer["access-control-expose-headers"]
    of_api = await request("/api/conversations", SITE)
    assert "Stream-Next-Offset" not in of_api["access-control-expose-headers"]


def list_headers_of_sdk() -> set[str]:
    """The names of all headers of a request."""
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json={"object": "list", "data": []})

    transport = httpx2.MockTransport(answer)
    with openai.DefaultHttpxClient(transport=transport) as http_client:
        client = openai.OpenAI(
            api_key="k", organization="o", project="p", max_retries=0, http_client=http_client
        )
        client.models.list()
    return set(sent[0].headers)


OF_BROWSERS = {"accept", "accept-encoding", "connection", "content-length", "host"}
"""Headers for which no page needs leave."""
JAVASCRIPT_SDK = (
    "openai-organization openai-project user-agent x-stainless-arch x-stainless-helper-method "
    "x-stainless-lang x-stainless-os x-stainless-package-version x-stainless-retry-count "
    "x-stainless-runtime x-stainless-runtime-version x-stainless-timeout idempotency-key"
)
"""Those of its version 7.59."""


async def test_pages_with_the_sdk_of_openai_may_send_its_headers() -> None:
    preflight = await request("/v1/responses", SITE, "OPTIONS", **PREFLIGHT)
    allowed = set(preflight["access-control-allow-headers"].lower().split(", "))
    assert list_headers_of_sdk() - OF_BROWSERS <= allowed
    assert set(JAVASCRIPT_SDK.split()) <= allowed
    answer = await request("/v1/chat/completions", SITE)
    for name in ("X-Holdfast-Response-Id", "X-Should-Retry"):
        assert name in answer["access-control-expose-headers"]
