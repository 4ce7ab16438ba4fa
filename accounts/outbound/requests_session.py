"""allauth's requests, sent through the guard."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from accounts.outbound.address_guard import parse_url
from accounts.outbound.client import Limits, send_request
from accounts.outbound.errors import OutboundError

LIMITS = Limits()
_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)


@contextmanager
def limit_total_seconds(seconds: float) -> Iterator[None]:
    """All requests of the block have this time together."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


class GuardedRequestFailed(requests.RequestException):
    """allauth shows its page about a failed sign-in. The cause says why."""


class GuardedSession(requests.Session):
    """Has no other way out than the guard, and takes nothing from the environment: no proxies, no
    passwords of ~/.netrc."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.adapters.clear()
        self.mount("http://", GuardedAdapter())
        self.mount("https://", GuardedAdapter())

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        """Judge the address as it was given, too: requests would repair it."""
        try:
            parse_url(str(url))
        except OutboundError as error:
            raise GuardedRequestFailed(str(error)) from error
        return super().request(method, url, **options | {"allow_redirects": False})


class GuardedAdapter(BaseAdapter):
    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        """The limits are those of the guard, not of `options`."""
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        if not isinstance(body, bytes):
            raise GuardedRequestFailed("The body is no text.")
        try:
            answer = send_request(
                request.method or "GET",
                request.url or "",
                headers={name: _to_text(value) for name, value in request.headers.items()},
                body=body,
                limits=_get_limits(),
            )
        except OutboundError as error:
            raise GuardedRequestFailed(str(error)) from error
        response = requests.Response()
        response.status_code = answer.status
        response.headers = CaseInsensitiveDict(answer.headers)
        response._content = answer.body
        response.encoding = "utf-8"
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Nothing is kept open."""


def _get_limits() -> Limits:
    ends_at = _ends_at.get()
    if ends_at is None:
        return LIMITS
    remaining = ends_at - time.monotonic()
    if remaining <= 0:
        raise GuardedRequestFailed("The requests before took too long.")
    return replace(LIMITS, seconds=min(LIMITS.seconds, remaining))


def _to_text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
