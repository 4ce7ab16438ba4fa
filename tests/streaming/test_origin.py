"""The origin of a page that opens a socket or an event stream."""

from typing import Any

import pytest

from streaming.doors.origin import is_allowed_origin

HTTPS = "https://chat.example.org"


@pytest.fixture(autouse=True)
def serve_some_hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["chat.example.org", "localhost"]


@pytest.mark.parametrize(
    ("trusted", "origin", "host", "is_allowed"),
    [
        ([], "http://chat.example.org", "chat.example.org", True),
        ([], HTTPS, "chat.example.org", True),
        ([], "http://elsewhere.example", "chat.example.org", False),
        ([], "ftp://chat.example.org", "chat.example.org", False),
        ([HTTPS], HTTPS, "chat.example.org", True),
        ([HTTPS], HTTPS, "10.0.0.1:8000", True),
        ([HTTPS], "http://chat.example.org", "chat.example.org", False),
        ([HTTPS], "http://CHAT.example.org", "chat.example.org", False),
        ([HTTPS], "http://localhost:8000", "localhost:8000", False),
        ([HTTPS], "https://localhost:8000", "localhost:8000", True),
        ([HTTPS, "http://localhost:8000"], "http://localhost:8000", "localhost:8000", True),
        ([HTTPS, "http://localhost:8000"], "http://chat.example.org", "chat.example.org", False),
        ([HTTPS, "http://localhost:8000"], "http://localhost:9", "localhost:9", True),
    ],
)
def test_a_page_of_plain_http_is_foreign_to_an_installation_on_https(
    settings: Any, trusted: list[str], origin: str, host: str, is_allowed: bool
) -> None:
    settings.STREAMING_TRUSTED_ORIGINS = trusted
    assert is_allowed_origin(origin, host) is is_allowed
