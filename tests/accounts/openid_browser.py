"""Signs in with the fake OpenID server, as a browser does: each redirect is one request."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.test import Client

from accounts.social.configuration import SignInServer
from streaming.providers.redaction import Secret
from tools.fake_openid.server import CLIENT_ID, CLIENT_SECRET, FakeOpenID

LOGIN = "/accounts/oidc/work/login/"


def build_server(fake: FakeOpenID, id: str = "work", name: str = "Work") -> SignInServer:
    return SignInServer(id, name, fake.url, CLIENT_ID, Secret(CLIENT_SECRET))


def start(client: Client, address: str = LOGIN, **form: str) -> str:
    """Press the button, and return the address of the other server."""
    response = client.post(address, form)
    assert response.status_code == 302, response
    return response.headers["Location"]


def authorize(address: str) -> str:
    """Let the other server sign the person in, and return the address that leads back."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        response = connection.getresponse()
        response.read()
        assert response.status == 302, response.status
        return str(response.headers["Location"])
    finally:
        connection.close()


def return_to(client: Client, address: str, **changes: str) -> Any:
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query)) | changes
    return client.get(f"{parts.path}?{urlencode(query)}")


def sign_in(client: Client, address: str = LOGIN, **form: str) -> Any:
    return return_to(client, authorize(start(client, address, **form)))
