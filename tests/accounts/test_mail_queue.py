"""Mails are sent outside the request, three times at most, and never lost in silence."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import Settings

from accounts.mails import queue
from accounts.mails.queue import MailQueue, MailQueueFull, mail_queue
from accounts.models import User
from tests.accounts.mail_server import MailServer, run_mail_server

ROOT = Path(__file__).parents[2]
RESET = "/accounts/password/reset/"


@pytest.fixture
def mail_server(settings: Settings) -> Iterator[MailServer]:
    with run_mail_server() as server:
        use_mail_server(settings, server)
        yield server


def use_mail_server(settings: Settings, server: MailServer) -> None:
    settings.MAIL_TRANSPORT = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_BACKEND = "accounts.mails.backend.QueuedEmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port


def build_mail(subject: str = "A mail") -> EmailMessage:
    return EmailMessage(subject, "text", to=["secret@example.org"])


@pytest.fixture
def fast_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "RETRY_DELAYS_SECONDS", (0.0, 0.0))


def test_a_request_does_not_wait_for_the_mail_server(
    owner: User, client: Client, mail_server: MailServer
) -> None:
    mail_server.may_answer.clear()
    assert client.post(RESET, {"email": owner.email}).status_code == 302
    assert mail_server.mails == []
    mail_server.may_answer.set()
    assert mail_queue.wait_until_sent(20)
    assert "Reset your password" in mail_server.mails[0]


def test_a_mail_is_tried_three_times(mail_server: MailServer, fast_retries: None) -> None:
    mails = MailQueue()
    mail_server.refusals_left = 2
    mails.add([build_mail()])
    assert mails.wait_until_sent(20)
    assert len(mail_server.mails) == 1


def test_a_mail_that_is_never_accepted_is_logged_without_its_address(
    mail_server: MailServer, fast_retries: None, caplog: pytest.LogCaptureFixture
) -> None:
    mails = MailQueue()
    mail_server.refusals_left = 3
    mails.add([build_mail()])
    assert mails.wait_until_sent(20)
    assert mail_server.mails == []
    assert caplog.text.count("A mail was not sent, trying again: SMTPSenderRefused 451") == 2
    assert caplog.text.count("A mail was not sent, it is lost: SMTPSenderRefused 451") == 1
    assert "example.org" not in caplog.text


def test_a_failed_mail_does_not_hold_up_the_next_one(mail_server: MailServer) -> None:
    mails = MailQueue()
    mail_server.refusals_left = 1
    mail_server.may_answer.clear()
    mails.add([build_mail("first"), build_mail("second")])
    mail_server.may_answer.set()
    mails.finish(20)
    assert [("second" in letter) for letter in mail_server.mails] == [True]


def test_a_mail_server_that_is_away_stops_no_thread(
    settings: Settings, mail_server: MailServer, fast_retries: None
) -> None:
    mails = MailQueue()
    settings.EMAIL_PORT = 9
    mails.add([build_mail()])
    assert mails.wait_until_sent(20)
    settings.EMAIL_PORT = mail_server.port
    mails.add([build_mail()])
    assert mails.wait_until_sent(20)
    assert len(mail_server.mails) == 1


def test_a_full_queue_takes_no_more_and_keeps_what_it_has(
    mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MAX_WAITING_MAILS", 2)
    mails = MailQueue()
    mail_server.may_answer.clear()
    mails.add([build_mail("first"), build_mail("second")])
    assert mails.is_full()
    with pytest.raises(MailQueueFull):
        mails.add([build_mail("third")])
    mail_server.may_answer.set()
    assert mails.wait_until_sent(20)
    assert len(mail_server.mails) == 2


@pytest.mark.parametrize("address", ["owner@holdfast.test", "nobody@holdfast.test"])
def test_a_page_says_that_no_mail_can_be_sent_whether_or_not_the_account_exists(
    owner: User,
    client: Client,
    mail_server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
) -> None:
    monkeypatch.setattr(queue, "MAX_WAITING_MAILS", 0)
    answer = client.post(RESET, {"email": address})
    assert answer.status_code == 503
    assert "Too many mails wait" in answer.content.decode()


def test_a_new_password_is_kept_when_no_notice_can_be_sent(
    owner: User,
    as_owner: Client,
    password: str,
    mail_server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "MAX_WAITING_MAILS", 0)
    form = {"oldpassword": password, "password1": "stipe-and-frond-8"}
    form["password2"] = form["password1"]
    assert as_owner.post("/accounts/password/change/", form).status_code == 302
    owner.refresh_from_db()
    assert owner.check_password("stipe-and-frond-8")


END_WITH_A_MAIL = """
import django; django.setup()
from django.core.mail import send_mail
send_mail("A mail", "text", None, ["someone@example.org"])
"""


def test_a_process_that_ends_sends_what_still_waits() -> None:
    with run_mail_server() as server:
        address = f"smtp://127.0.0.1:{server.port}"
        environment = {"EMAIL_URL": address, "DEBUG": "on", "LOG_LEVEL": "WARNING"}
        environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
        subprocess.run(
            [sys.executable, "-c", END_WITH_A_MAIL],
            cwd=ROOT,
            env=environment,
            check=True,
            timeout=60,
        )
        assert len(server.mails) == 1
