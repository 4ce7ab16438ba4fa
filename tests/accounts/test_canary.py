"""A unique key takes every path that a key can take, with success and with errors.
Afterwards no response, log, mail, session, report or byte of the database contains it."""

import base64
import logging
import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils.log import AdminEmailHandler
from pytest_django import Settings

from accounts.api_keys import keys
from accounts.factors.recovery_codes import create_recovery_codes
from accounts.invitations.links import create_invitation
from accounts.models import ApiKey, Connection, User
from accounts.tokens.tokens import TOKEN_PATTERN
from chat.models import Webhook
from chat.webhooks.delivery import deliver_next
from tests.accounts.connections import ADD as ADD_CONNECTION
from tests.accounts.connections import build_form
from tests.accounts.raw_server import send_document, serve
from tests.accounts.test_codes import ADD_APP, compute_code, stop_clock
from tests.accounts.test_codes import INDEX as FACTORS
from tests.accounts.test_mail_codes import CODE as CODE_LINE
from tests.accounts.test_mail_codes import REQUEST as REQUEST_CODE
from tests.chat.factories import finish_reply, start_reply

__all__ = ["stop_clock"]
RESET = "/accounts/password/reset/"
TOKENS = "/settings/tokens/"
WEBHOOKS = "/settings/webhooks/"
ADD = "/settings/keys/openai/"
REMOVE = "/settings/keys/openai/remove/"


class Canary:
    """A key, and all places to search for it."""

    def __init__(self) -> None:
        self.key = f"sk-canary-{secrets.token_hex(24)}"
        # Pages may show its end. The rest is secret.
        self.rest = self.key[3:-4]
        self.places: dict[str, str] = {}

    def add_text(self, name: str, text: str) -> None:
        self.places[f"{len(self.places)} {name}"] = text

    def add_response(self, name: str, answer: Any) -> Any:
        self.add_text(name, f"{answer.headers} {answer.cookies} {answer.content!r}")
        return answer

    def find_places(self) -> list[str]:
        rest = self.rest.encode()
        encodings = {self.rest, rest.hex(), base64.b64encode(rest).decode()[:-4]}
        return [
            name for name, text in self.places.items() for encoding in encodings if encoding in text
        ]


@pytest.fixture
def canary(
    commit_for_real: None, caplog: pytest.LogCaptureFixture, settings: Settings
) -> Iterator[Canary]:
    """Log everything meanwhile, including each statement to the database."""
    caplog.set_level(logging.DEBUG)
    connection.force_debug_cursor = True
    canary = Canary()
    yield canary
    connection.force_debug_cursor = False


def format_log_records(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)


def read_all_rows() -> str:
    """Return the content of the database as text."""
    lines = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                lines.append(" ".join(to_text(value) for value in row))
    return "\n".join(lines)


def to_text(value: Any) -> str:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)


def read_database_files() -> str:
    """Return the bytes of the database's files, if it has files of ours. Another process reads
    them: closing such a file would release the locks that this process's connections hold on it."""
    if connection.vendor != "sqlite":
        return ""
    name = connection.settings_dict["NAME"]
    paths = [Path(f"{name}{ending}") for ending in ("", "-wal")]
    existing = [str(path) for path in paths if path.exists()]
    return repr(subprocess.check_output(["cat", *existing]))


def test_a_saved_key_appears_nowhere(
    canary: Canary,
    caplog: pytest.LogCaptureFixture,
    as_owner: Client,
    as_colleague: Client,
    as_administrator: Client,
    owner: User,
) -> None:
    for step in ("add", "replace"):
        canary.add_response(step, as_owner.post(ADD, {"key": canary.key}, follow=True))
    canary.add_response("with a blank in it", as_owner.post(ADD, {"key": f"{canary.key} and more"}))
    canary.add_response("too long", as_owner.post(ADD, {"key": canary.key * 20}))
    canary.add_response("another provider", as_owner.post("/settings/keys/x/", {"key": canary.key}))
    canary.add_response("not signed in", Client().post(ADD, {"key": canary.key}, follow=True))
    canary.add_response("no token", Client(enforce_csrf_checks=True).post(ADD, {"key": canary.key}))
    canary.add_response("colleague", as_colleague.get("/settings/keys/"))

    key = ApiKey.objects.get(user=owner)
    for page in ("", f"{key.pk}/change/", f"{key.pk}/delete/", "?q=owner"):
        address = f"/admin/accounts/apikey/{page}"
        canary.add_response(address, as_administrator.get(address))
    assert keys.decrypt_for_call(owner, "openai") == canary.key
    canary.add_text("repr", f"{key!r} {key} {vars(key)}")
    canary.add_text("rows while it is there", read_all_rows())
    canary.add_text("sessions", str([dict(client.session) for client in (as_owner, as_colleague)]))

    canary.add_response("remove", as_owner.post(REMOVE, follow=True))
    canary.add_text("rows", read_all_rows())
    canary.add_text("files", read_database_files())
    canary.add_text("log", format_log_records(caplog))
    canary.add_text("mail", str([mail_message.message() for mail_message in mail.outbox]))

    assert key.last_four in canary.places["0 add"]
    assert canary.find_places() == []


def test_a_key_of_a_connection_appears_nowhere(
    canary: Canary, caplog: pytest.LogCaptureFixture, as_administrator: Client
) -> None:
    form = build_form(key=canary.key, for_everybody="on")
    canary.add_response("add", as_administrator.post(ADD_CONNECTION, form, follow=True))
    shared = Connection.objects.get()
    for page in ("", f"{shared.pk}/change/", f"{shared.pk}/history/"):
        address = f"/admin/accounts/connection/{page}"
        canary.add_response(address, as_administrator.get(address, follow=True))
    canary.add_response("wrong", as_administrator.post(ADD_CONNECTION, {**form, "name": ""}))
    canary.add_text("repr", f"{shared!r} {shared} {vars(shared)}")
    canary.add_text("session", str(dict(as_administrator.session)))
    canary.add_text("rows", read_all_rows())
    canary.add_text("log", format_log_records(caplog))
    assert shared.sealed
    assert canary.find_places() == []


def test_codes_and_an_invitation_are_only_where_they_are_shown(
    canary: Canary, caplog: pytest.LogCaptureFixture, owner: User, as_administrator: Client
) -> None:
    """Recovery codes and the token of an invitation are stored as hashes."""
    _, link = create_invitation()
    codes = create_recovery_codes(owner)
    visitor = Client()
    visitor.get(link, follow=True)
    canary.add_text("session", str(dict(visitor.session)))
    for path in ("/admin/accounts/invitation/", "/admin/mfa/authenticator/"):
        canary.add_response(path, as_administrator.get(path, follow=True))
    canary.add_text("rows", read_all_rows())
    for secret in (link.rstrip("/").rpartition("/")[2], *codes):
        canary.rest = secret
        assert canary.find_places() == []


def test_an_access_token_is_only_in_the_answer_that_creates_it(
    canary: Canary,
    caplog: pytest.LogCaptureFixture,
    as_administrator: Client,
    capsys: pytest.CaptureFixture[str],
) -> None:
    form = {"name": "Program", "scopes": ["read"], "days": "30"}
    created = as_administrator.post(TOKENS, form).content.decode()
    [token] = TOKEN_PATTERN.findall(created)
    program = Client(headers={"Authorization": f"Bearer {token}"})
    for path in ("/api/keys", "/api/conversations/x", "/api/nothing", "/"):
        canary.add_response(path, program.get(path))
    canary.add_response("refused", program.post("/api/conversations", {}))
    for path in (TOKENS, "/admin/accounts/accesstoken/", "/settings/data/activity/"):
        canary.add_response(path, as_administrator.get(path))
    add_everything_stored(canary, caplog, capsys)
    canary.rest = token[len("hft_") : -4]
    assert canary.find_places() == []


def test_the_secret_of_a_webhook_is_only_in_the_answer_that_creates_it(
    canary: Canary,
    caplog: pytest.LogCaptureFixture,
    as_administrator: Client,
    owner: User,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings.PRIVATE_ADDRESSES = "allow"
    with serve(send_document(b"", "500 Oh")) as server:
        answer = as_administrator.post(WEBHOOKS, {"address": server.get_url()}).content.decode()
        found = re.search(r"whsec_([\w+/]+)", answer)
        assert found
        webhook = Webhook.objects.get()
        finish_reply(start_reply(webhook.user))
        assert deliver_next()
    for path in (WEBHOOKS, f"{WEBHOOKS}{webhook.pk}/", "/settings/data/activity/", "/api/webhooks"):
        canary.add_response(path, as_administrator.get(path))
    canary.add_text("sent", repr(server.requests))
    canary.add_text("repr", f"{webhook!r} {webhook} {vars(webhook)}")
    add_everything_stored(canary, caplog, capsys)
    canary.rest = found[1]
    assert server.requests
    assert canary.find_places() == []


def test_the_secret_of_an_app_is_only_on_the_page_that_shows_it(
    canary: Canary,
    caplog: pytest.LogCaptureFixture,
    as_owner: Client,
    as_administrator: Client,
    password: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    as_owner.post("/accounts/reauthenticate/", {"password": password})
    setup_page = as_owner.get(ADD_APP).content.decode()
    canary.rest = setup_page.partition('<code class="secret">')[2].partition("<")[0]
    assert len(canary.rest) == 32
    canary.add_text("session before", str(dict(as_owner.session)))
    code = compute_code(canary.rest)
    canary.add_response("set up", as_owner.post(ADD_APP, {"code": code}, follow=True))
    assert Authenticator.objects.filter(type=Authenticator.Type.TOTP).exists()
    for path in (FACTORS, "/settings/data/activity/"):
        canary.add_response(path, as_owner.get(path))
    listing = "/admin/accounts/user/"
    canary.add_response(listing, as_administrator.get(listing, follow=True))
    canary.add_text("session after", str(dict(as_owner.session)))
    add_everything_stored(canary, caplog, capsys)
    assert canary.find_places() == []


def test_codes_and_links_of_mails_are_only_in_mails(
    canary: Canary,
    caplog: pytest.LogCaptureFixture,
    owner: User,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings.HAS_MAIL_SERVER = settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = True
    visitor = Client()
    canary.add_response("code", visitor.post(REQUEST_CODE, {"email": owner.email}, follow=True))
    canary.add_response("link", visitor.post(RESET, {"email": owner.email}, follow=True))
    bodies = " ".join(str(sent.body) for sent in mail.outbox)
    code, link = re.search(CODE_LINE, bodies), re.search(r"/reset/key/(\S+)/", bodies)
    assert code
    assert link
    canary.add_response(
        "wrong code", visitor.post(f"{REQUEST_CODE}confirm/", {"code": "ZZZZ-ZZZZ"})
    )
    canary.add_response("opened", visitor.get(f"{RESET}key/{link[1]}/", follow=True))
    add_everything_stored(canary, caplog, capsys)
    for secret in (code[0], code[0].replace("-", ""), link[1].partition("-")[2]):
        canary.rest = secret
        assert canary.find_places() == []


def add_everything_stored(
    canary: Canary, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    canary.add_text("rows", read_all_rows())
    canary.add_text("files", read_database_files())
    call_command("export_audit")
    canary.add_text("audit", capsys.readouterr().out)
    canary.add_text("log", format_log_records(caplog))


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    "broken",
    [
        "accounts.sealing._associated_data",
        "accounts.api_keys.keys.ApiKey.objects.update_or_create",
    ],
)
def test_an_error_report_does_not_contain_the_key(
    canary: Canary,
    caplog: pytest.LogCaptureFixture,
    as_owner: Client,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    debug: bool,
    broken: str,
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the disk is full")

    # Reports with all their frames, as an administrator may configure them.
    by_mail = AdminEmailHandler(include_html=True)
    monkeypatch.setattr(broken, fail)
    settings.DEBUG = debug
    settings.ADMINS = [("Root", "root@holdfast.test")]
    monkeypatch.setattr(logging.getLogger("django"), "handlers", [by_mail])
    as_owner.raise_request_exception = False
    answer = canary.add_response("the page", as_owner.post(ADD, {"key": canary.key}))
    canary.add_response(
        "as text", as_owner.post(ADD, {"key": canary.key}, headers={"accept": "text/plain"})
    )
    canary.add_text("log", format_log_records(caplog))
    canary.add_text(
        "mail", str([mail_message.message().as_string() for mail_message in mail.outbox])
    )

    assert answer.status_code == 500
    assert "the disk is full" in canary.places["3 mail"]
    assert canary.find_places() == []


def test_an_export_of_the_data_contains_only_the_sealed_key(
    canary: Canary, owner: User, capsys: pytest.CaptureFixture[str]
) -> None:
    keys.save(owner, "openai", canary.key)
    call_command("dumpdata", "accounts")
    canary.add_text("export", capsys.readouterr().out)
    assert "sealed" in canary.places["0 export"]
    assert canary.find_places() == []


def test_a_planted_canary_is_found() -> None:
    """The search itself could fail: it finds the key in each spelling that it searches for."""
    canary = Canary()
    for text in (canary.key, canary.key.encode().hex(), str(canary.key.encode())):
        canary.places.clear()
        canary.add_text("here", f"before {text} after")
        assert canary.find_places() == ["0 here"]
