"""Documents of OpenID servers: their configuration and their public keys.

They are kept for a few minutes, because a visitor who signs in waits for them, and a page that
waits holds up other visitors. For the same reason one request at a time loads a document, and a
failure is kept for some seconds: other sign-ins with this server fail at once.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from requests import RequestException

from accounts.outbound.address_guard import parse_url
from accounts.outbound.errors import RefusedAddress
from accounts.outbound.requests_session import GuardedSession
from accounts.social.configuration import SignInServer
from accounts.social.failures import SignInFailed, reject_malformed_answers

KEEP_SECONDS = 5 * 60
RELOAD_AFTER_SECONDS = 10
"""A new key of the server is found by loading its keys again, but not more often than this."""
KEEP_FAILURE_SECONDS = 10
CONFIGURATION_PATH = "/.well-known/openid-configuration"
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")

_documents: dict[str, StoredDocument] = {}
_failures: dict[str, float] = {}
"""When loading each address failed."""
_loading: set[str] = set()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class StoredDocument:
    content: dict[str, Any]
    loaded_at: float


def load_configuration(server: SignInServer) -> dict[str, Any]:
    """Raises SignInFailed unless the document is that of this server, and GuardedRequestFailed."""
    document = load_document(server.url + CONFIGURATION_PATH, KEEP_SECONDS)
    with reject_malformed_answers():
        if document["issuer"].rstrip("/") != server.url:
            raise SignInFailed("The configuration names another issuer than OPENID_SERVERS.")
        try:
            target, *_ = [parse_url(document[name]) for name in ENDPOINTS]
        except RefusedAddress as error:
            raise SignInFailed("The configuration names an address that is refused.") from error
    if target.origin not in server.form_origins:
        raise SignInFailed(
            f"The sign-in page is at {target.origin}. Add it to the origins of the row in "
            "OPENID_SERVERS if it is right."
        )
    return document


def load_keys(url: str, *, reload: bool = False) -> dict[str, Any]:
    return load_document(url, RELOAD_AFTER_SECONDS if reload else KEEP_SECONDS)


def load_document(url: str, max_age_seconds: float) -> dict[str, Any]:
    """Raises SignInFailed, and GuardedRequestFailed."""
    with _lock:
        stored = _documents.get(url)
        if stored and time.monotonic() - stored.loaded_at < max_age_seconds:
            return stored.content
        failed_at = _failures.get(url)
        if failed_at is not None and time.monotonic() - failed_at < KEEP_FAILURE_SECONDS:
            raise SignInFailed("The server failed a few seconds ago.")
        if url in _loading:
            if stored:
                return stored.content
            raise SignInFailed("Another sign-in waits for the server.")
        _loading.add(url)
    try:
        content = _request_document(url)
    except (SignInFailed, RequestException):
        with _lock:
            _failures[url] = time.monotonic()
        raise
    finally:
        with _lock:
            _loading.discard(url)
    with _lock:
        _documents[url] = StoredDocument(content, time.monotonic())
        _failures.pop(url, None)
    return content


def _request_document(url: str) -> dict[str, Any]:
    with GuardedSession() as session, reject_malformed_answers():
        response = session.get(url)
        response.raise_for_status()
        content = response.json()
        if not isinstance(content, dict):
            raise TypeError
        return content


def forget_documents() -> None:
    with _lock:
        _documents.clear()
        _failures.clear()
