"""A person with an account on a deployment, for programs that speak HTTP and sockets."""

import itertools
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import httpx2
from websockets.sync.client import ClientConnection, connect

from tools.waiting import until

PASSWORD = "kelp-holds-fast-7"
TOO_MANY = 429

PEOPLE = itertools.count(1)


def _own_address() -> str | None:
    """Each person has an address of their own, because one address may create only twenty accounts
    a minute and tests are quicker. If 127.0.0.1 is the only address of loopback, they have to
    wait."""
    if sys.platform != "linux":
        return None
    number = next(PEOPLE)
    return f"127.1.{number // 250}.{number % 250 + 1}"


class Person:
    """A person who is signed in over HTTP. The session's cookies fit raw sockets and browsers as
    well."""

    def __init__(self, base_url: str, name: str) -> None:
        self.base_url = base_url
        self.name = name
        self.email = f"{name}@holdfast.test"
        self.password = PASSWORD
        self.token = ""
        """The newest access token."""
        self._keys: dict[str, str] = {}
        transport = httpx2.HTTPTransport(local_address=_own_address())
        self.http = httpx2.Client(
            base_url=base_url, follow_redirects=True, timeout=30, transport=transport
        )

    @classmethod
    def sign_up(cls, base_url: str, name: str) -> Self:
        """Create the account through the sign-up page, as a browser without scripts would."""
        person = cls(base_url, name)
        # Older versions ask for it twice.
        form = {"email": person.email, "password1": PASSWORD, "password2": PASSWORD}

        def answered() -> httpx2.Response | None:
            response = person.post("/accounts/signup/", form, expect=None)
            return None if response.status_code == TOO_MANY else response

        response = until(answered, within=90, what="leave to sign up")
        assert response is not None
        assert "sessionid" in person.cookies, f"{name} could not sign up:\n{response.text}"
        return person

    def sign_in(self) -> None:
        """Start a new session, through the sign-in page."""
        self.http.cookies.clear()
        self.post("/accounts/login/", {"login": self.email, "password": self.password})
        assert "sessionid" in self.cookies, f"{self.name} could not sign in"

    def add_key(self, provider: str = "openai", key: str = "sk-e2e-0123456789abcdef") -> None:
        """Save a provider's key on the settings page, once, because only ten checks a minute are
        allowed."""
        if self._keys.get(provider) != key:
            self.post(f"/settings/keys/{provider}/", {"key": key})
            self._keys[provider] = key

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self.http.get(path, **options)

    def post(
        self,
        path: str,
        form: Mapping[str, str | Sequence[str]],
        *,
        expect: int | None = 200,
        **options: Any,
    ) -> httpx2.Response:
        """Send a form with its token, follow the redirects, and check the status.

        `expect` is the status at the end of all redirects; None leaves the check to the caller.
        """
        headers = {"X-CSRFToken": self.csrf_token(), **options.pop("headers", {})}
        response = self.http.post(path, data=form, headers=headers, **options)
        if expect is not None:
            got = f"{path} answered {response.status_code}:\n{response.text}"
            assert response.status_code == expect, got
        return response

    def create_token(self, *scopes: str) -> str:
        """Create an access token on the settings page, after a confirmation, and return it."""
        self.post("/accounts/reauthenticate/", {"password": self.password})
        form = {"name": "Program", "scopes": list(scopes), "days": "30"}
        shown = self.post("/settings/tokens/", form).text
        found = re.search(r"hft_[A-Za-z0-9_-]{43}", shown)
        assert found, shown
        self.token = found[0]
        return self.token

    def csrf_token(self) -> str:
        """The token of this session. Pages with a form set it, and the sign-up page always has
        one."""
        if "csrftoken" not in self.cookies:
            self.http.get("/accounts/signup/")
        return self.cookies["csrftoken"]

    @property
    def cookies(self) -> dict[str, str]:
        return dict(self.http.cookies)

    def browser_cookies(self) -> list[dict[str, str]]:
        """Return the cookies in the format of a browser's context."""
        return [
            {"name": name, "value": value, "url": self.base_url}
            for name, value in self.cookies.items()
        ]

    def socket(self, *, base_url: str = "", **options: Any) -> ClientConnection:
        """Open a WebSocket to /ws/ in this person's session and with our own origin.

        `base_url` names another address, such as a proxy or another web process.
        """
        base_url = base_url or self.base_url
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        options.setdefault("origin", base_url)
        headers = {"Cookie": cookie, **options.pop("additional_headers", {})}
        address = urljoin(re.sub("^http", "ws", base_url), "/ws/")
        assert urlsplit(address).hostname in ("127.0.0.1", "localhost")
        return connect(address, additional_headers=headers, proxy=None, **options)

    def close(self) -> None:
        self.http.close()
