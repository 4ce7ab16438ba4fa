"""The servers that people may sign in with, as the operator configured them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from streaming.providers.redaction import Secret

SERVER_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
RESERVED_IDS = {"github", "google", "openid-connect"}
DEFAULT_SCOPES = ("openid", "email", "profile")
NO_SECRET = Secret("")
GITHUB_ORIGIN = "https://github.com"
GOOGLE_URL = "https://accounts.google.com"


@dataclass(frozen=True, slots=True)
class SignInServer:
    """`url` is the issuer of an OpenID server. The sign-in page may send people to `origins`."""

    id: str
    name: str
    url: str
    client_id: str
    client_secret: Secret
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    origins: tuple[str, ...] = field(default=())

    @property
    def kind(self) -> str:
        """allauth's name of the provider."""
        return "github" if self.id == "github" else "openid_connect"

    @property
    def form_origins(self) -> tuple[str, ...]:
        parts = urlsplit(self.url)
        return (f"{parts.scheme}://{parts.netloc}", *self.origins)


def hide_secret(text: str) -> Secret:
    """For a setting that an error page may show."""
    return Secret(text)


def hide_client_secrets(rows: Any) -> Any:
    """The rows, with each secret in a `Secret`, for settings that an error page may show."""
    return [
        row | {"client_secret": Secret(row["client_secret"])}
        if isinstance(row.get("client_secret"), str)
        else row
        for row in rows
    ]


def build_sign_in_servers(
    rows: Any,
    *,
    google: tuple[str, Secret] = ("", NO_SECRET),
    github: tuple[str, Secret] = ("", NO_SECRET),
) -> list[SignInServer]:
    """Return the servers in the order of their buttons. `google` and `github` are pairs of a client
    id and its secret. Raises ImproperlyConfigured."""
    servers = [_parse_row(row, number) for number, row in enumerate(rows, start=1)]
    ids = [server.id for server in servers]
    for id in ids:
        if ids.count(id) > 1:
            raise ImproperlyConfigured(f"OPENID_SERVERS: the id {id!r} is there twice.")
    if _is_complete("GOOGLE", *google):
        servers.append(SignInServer("google", "Google", GOOGLE_URL, *google))
    if _is_complete("GITHUB", *github):
        servers.append(SignInServer("github", "GitHub", GITHUB_ORIGIN, *github))
    return servers


def _is_complete(name: str, client_id: str, secret: Secret) -> bool:
    if bool(client_id) != bool(secret):
        raise ImproperlyConfigured(
            f"Set both {name}_CLIENT_ID and {name}_CLIENT_SECRET, or neither."
        )
    return bool(client_id)


def _parse_row(row: dict[str, Any], number: int) -> SignInServer:
    def fail(reason: str) -> ImproperlyConfigured:
        return ImproperlyConfigured(f"OPENID_SERVERS: row {number} {reason}.")

    known = {"id", "name", "url", "client_id", "client_secret", "scopes", "origins"}
    if unknown := row.keys() - known:
        raise fail(f"has unknown fields: {', '.join(sorted(unknown))}")
    texts = {name: row.get(name, "") for name in ("id", "name", "url", "client_id")}
    for name, value in texts.items():
        if not isinstance(value, str) or (not value and name != "name"):
            raise fail(f"needs a text as {name}")
    if not SERVER_ID.fullmatch(texts["id"]) or texts["id"] in RESERVED_IDS:
        raise fail("needs an id of a–z, 0–9 and -, and not that of another kind of sign-in")
    if not _is_origin(texts["url"], with_path=True):
        raise fail("needs the address of the server as url, such as https://id.example.org")
    secret = row.get("client_secret", NO_SECRET)
    if not isinstance(secret, Secret):
        raise fail("needs a text as client_secret")
    scopes = _parse_texts(row.get("scopes", [*DEFAULT_SCOPES]))
    if scopes is None or "openid" not in scopes:
        raise fail('needs a list with "openid" as scopes')
    origins = _parse_texts(row.get("origins", []))
    if origins is None or not all(map(_is_origin, origins)):
        raise fail("needs a list of origins such as https://login.example.org as origins")
    return SignInServer(
        texts["id"],
        texts["name"] or texts["id"],
        texts["url"].rstrip("/"),
        texts["client_id"],
        secret,
        scopes,
        origins,
    )


def _parse_texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
        return None
    return tuple(value)


def _is_origin(text: str, *, with_path: bool = False) -> bool:
    """Its characters must be harmless in a content security policy."""
    path = r"(/[\w.~%/-]*)?" if with_path else ""
    return bool(re.fullmatch(rf"https?://[\w.\[\]:-]+{path}", text, re.ASCII))


def find_server(servers: Iterable[SignInServer], id: str) -> SignInServer | None:
    return next((server for server in servers if server.id == id), None)
