"""A deployment as behind a proxy that ends TLS, and a browser that comes through the proxy."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx2

from tools.deployment.deployment import Deployment
from tools.waiting import until

HOST = "chat.example.org"
ORIGIN = f"https://{HOST}"
ENVIRONMENT = {
    "ALLOWED_HOSTS": HOST,
    "TRUSTED_ORIGINS": ORIGIN,
    "TRUSTED_PROXY_COUNT": "1",
}
BROKEN_SITE = {
    "DJANGO_SETTINGS_MODULE": "tests.config.broken_site.settings",
    "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",  # nobody listens there
}
CLIENT_ADDRESS = "203.0.113.77"
PASSWORD = "kelp-holds-fast-7"
SETUP_CODE = re.compile(r"\b(?:[A-Z2-7]{5}-){3}[A-Z2-7]{5}\b")


class ProxiedBrowser:
    """A client whose requests have the headers of the proxy. It keeps cookies itself, because they
    are for https and the test speaks to the server behind the proxy."""

    def __init__(self, deployment: Deployment, *, proto: str = "https") -> None:
        self.deployment = deployment
        self.cookies: dict[str, str] = {}
        self._headers = {"Host": HOST, "Origin": ORIGIN, "X-Forwarded-For": CLIENT_ADDRESS}
        if proto:
            self._headers["X-Forwarded-Proto"] = proto
        self._http = httpx2.Client(base_url=deployment.base_url, timeout=30)

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx2.Response:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = self._headers | ({"Cookie": cookie} if cookie else {}) | dict(headers or {})
        response = self._http.request(method, path, headers=sent, **options)
        self._http.cookies.clear()
        for line in response.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return response

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, form: Mapping[str, str], **options: Any) -> httpx2.Response:
        token = next((v for k, v in self.cookies.items() if k.endswith("csrftoken")), "")
        if not token:
            self.get("/accounts/login/")
            return self.post(path, form, **options)
        return self.request(
            "POST", path, data=dict(form), headers={"X-CSRFToken": token}, **options
        )

    def close(self) -> None:
        self._http.close()


def sign_up_administrator(deployment: Deployment, email: str) -> ProxiedBrowser:
    browser = ProxiedBrowser(deployment)
    code = until(lambda: SETUP_CODE.search(deployment.web.output()), what="the setup code")
    assert code is not None
    form = {"email": email, "password1": PASSWORD, "password2": PASSWORD, "setup_code": code[0]}
    response = browser.post("/accounts/signup/", form)
    assert response.status_code == 302, response.text
    return browser


def send_raw(port: int, sent: bytes, *, within: float = 15.0) -> bytes:
    """Return all that the server answers until it closes, or the head of the response."""
    with socket.create_connection(("127.0.0.1", port), timeout=within) as line:
        with suppress(OSError):
            line.sendall(sent)
        answer = b""
        with suppress(OSError):
            while b"\r\n\r\n" not in answer and (part := line.recv(65_536)):
                answer += part
        return answer


def parse_head(answer: bytes) -> tuple[int, dict[str, str]]:
    """Return the status and the headers, with names in lower case. A doubled header fails."""
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in head[1:]]
    names = [name.strip().lower() for name, _, _ in pairs]
    assert len(set(names)) == len(names), f"a header is there twice: {sorted(names)}"
    status = int(head[0].split(" ")[1])
    return status, {name.strip().lower(): value.strip() for name, _, value in pairs}
