"""An OpenID Connect server on loopback, which signs one person in without asking. It misbehaves on
demand: tests change its documents, its claims and how it signs."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tools.fake_openid import tokens

CLIENT_ID = "holdfast"
CLIENT_SECRET = "fake-secret-of-the-client"  # noqa: S105
Params = dict[str, str]


@dataclass
class FakeOpenID:
    """`overrides` by path replace a document; a callable gets the handler and writes itself."""

    url: str
    person: dict[str, Any] = field(default_factory=dict)
    """Claims about the person, added to those of the token."""
    in_userinfo: dict[str, Any] | None = None
    """The user information, if it differs."""
    configuration: dict[str, Any] = field(default_factory=dict)
    published_key: str = "first"
    signing_key: str = "first"
    make_token: Callable[[dict[str, Any]], str] | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    shows_page: bool = False
    """Whether the person has to press a button, as a browser of a person would show it."""
    requests: list[tuple[str, Params]] = field(default_factory=list)
    codes: dict[str, Params] = field(default_factory=dict)
    access_tokens: set[str] = field(default_factory=set)

    def describe(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        } | self.configuration

    def authorize(self, params: Params) -> str:
        """Return the address to which the browser is sent back."""
        if params["client_id"] != CLIENT_ID or params["response_type"] != "code":
            raise ValueError("unknown client")
        if params["code_challenge_method"] != "S256" or not params["code_challenge"]:
            raise ValueError("no PKCE")
        code = secrets.token_urlsafe(16)
        self.codes[code] = params
        return f"{params['redirect_uri']}?{urlencode({'code': code, 'state': params['state']})}"

    def issue_token(self, params: Params) -> dict[str, Any]:
        """A code is good for one time, and for the client that holds its verifier."""
        asked = self.codes.pop(params["code"])
        digest = hashlib.sha256(params["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if challenge != asked["code_challenge"] or params["redirect_uri"] != asked["redirect_uri"]:
            raise ValueError("invalid_grant")
        if (params["client_id"], params["client_secret"]) != (CLIENT_ID, CLIENT_SECRET):
            raise ValueError("invalid_client")
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked.get("nonce"),
        } | self.person
        if asked.get("max_age") == "0":
            claims.setdefault("auth_time", now)
        make = self.make_token or self.sign
        access_token = secrets.token_urlsafe(16)
        self.access_tokens.add(access_token)
        return {
            "access_token": access_token,
            "refresh_token": secrets.token_urlsafe(16),
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": make({k: v for k, v in claims.items() if v is not None}),
        }

    def sign(self, claims: dict[str, Any]) -> str:
        return tokens.sign_claims(claims, self.signing_key, self.published_key)

    def tell_about_person(self, authorization: str) -> dict[str, Any]:
        if authorization.removeprefix("Bearer ") not in self.access_tokens:
            raise ValueError("invalid_token")
        return self.person if self.in_userinfo is None else self.in_userinfo


@contextmanager
def serve() -> Iterator[FakeOpenID]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    fake = FakeOpenID(f"http://127.0.0.1:{server.server_port}")
    server.fake = fake  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def fake(self) -> FakeOpenID:
        found: FakeOpenID = self.server.fake  # type: ignore[attr-defined]
        return found

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self._answer(parts.path, _flatten(parts.query))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer(urlsplit(self.path).path, _flatten(body))

    def _answer(self, path: str, params: Params) -> None:
        fake = self.fake
        fake.requests.append((path, params))
        override = fake.overrides.get(path)
        if callable(override):
            override(self)
            return
        try:
            if override is not None:
                self.send_document(override)
            elif path == "/authorize":
                self._send_back(fake.authorize(params))
            else:
                self.send_document(self._find_document(path, params))
        except (KeyError, ValueError) as error:
            self.send_document({"error": str(error)}, status=400)

    def _find_document(self, path: str, params: Params) -> Any:
        fake = self.fake
        if path == "/.well-known/openid-configuration":
            return fake.describe()
        if path == "/keys":
            return {"keys": [tokens.publish_key(fake.published_key)]}
        if path == "/token":
            return fake.issue_token(params)
        if path == "/userinfo":
            return fake.tell_about_person(self.headers.get("Authorization", ""))
        raise KeyError(path)

    def _send_back(self, location: str) -> None:
        if self.fake.shows_page:
            link = location.replace("&", "&amp;")
            page = f'<!doctype html><title>Fake</title><a href="{link}">Continue</a>'
            self._send(200, page.encode(), "text/html")
        else:
            self.redirect(location)

    def redirect(self, location: str) -> None:
        self._send(302, b"", "text/plain", Location=location)

    def send_document(self, document: Any, status: int = 200) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self._send(status, body, "application/json")

    def _send(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Tests print nothing."""


def _flatten(query: str) -> Params:
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
