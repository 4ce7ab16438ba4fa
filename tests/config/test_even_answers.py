"""The answers of forms that may send a mail come at full seconds; other answers at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pytest_django import Settings

from config import even_answers
from config.even_answers import even_out_answers


async def run(path: str, method: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], float]:
    """Return what was sent, and how long the answer was held."""
    pauses: list[float] = []
    sent: list[str] = []

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"text"})

    async def record_pause(seconds: float) -> None:
        assert sent == []
        pauses.append(seconds)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    monkeypatch.setattr(asyncio, "sleep", record_pause)
    await even_out_answers(answer)({"method": method, "path": path}, None, send)
    return sent, sum(pauses)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/accounts/signup/", "POST"),
        ("/accounts/signup/passkey/", "POST"),
        ("/accounts/3rdparty/signup/", "POST"),
        ("/accounts/password/reset/", "POST"),
        ("/accounts/login/code/", "POST"),
        ("/accounts/login/code/confirm/", "POST"),
        ("/accounts/confirm-email/", "POST"),
        ("/accounts/email/", "POST"),
        ("/accounts/a-form-of-tomorrow/", "POST"),
        ("/accounts/oidc/work/login/callback/", "GET"),
        ("/accounts/github/login/callback/", "GET"),
    ],
)
def test_a_form_that_may_send_a_mail_is_answered_at_a_full_second(
    path: str, method: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    sent, pause = asyncio.run(run(path, method, monkeypatch))
    assert sent == ["http.response.start", "http.response.body"]
    assert 0 < pause <= even_answers.INTERVAL_SECONDS


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/accounts/login/code/", "GET"),
        ("/accounts/login/", "POST"),
        ("/accounts/2fa/sign-in/", "POST"),
        ("/c/", "POST"),
        ("/accounts/signup/", "POST"),  # here nobody confirms an address
        ("/accounts/github/login/callback/", "GET"),
    ],
)
def test_other_answers_are_not_held(
    path: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asyncio.run(run(path, method, monkeypatch))[1] == 0
