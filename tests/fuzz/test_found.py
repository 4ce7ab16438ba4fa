"""Former findings of the fuzzer."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from chat.models import Conversation
from config.logs import MAX_PATH_CHARS, ClientErrorFilter, ErrorTextFilter
from tests.chat.factories import start_reply
from tests.factories import create_signed_in_client
from tests.fuzz import sending
from tests.fuzz.sending import RawRequest

HOST = (b"host", b"127.0.0.1:8000")
TOKEN = b"t" * 32
URLENCODED = "application/x-www-form-urlencoded"


async def post(path: str, kind: str, body: bytes, *more: tuple[bytes, bytes]) -> int:
    """Return the status, with a valid token."""
    from config.asgi import application

    token = [(b"cookie", b"csrftoken=" + TOKEN), (b"x-csrftoken", TOKEN)]
    headers = [HOST, (b"content-type", kind.encode()), *token, *more]
    status, _, _ = await sending.send_http(application, RawRequest("POST", path, headers, body))
    return status


@pytest.mark.django_db
def test_a_title_may_hold_a_nul(owner: User, as_owner: Client) -> None:
    conversation = start_reply(owner, "Why do tides lag the moon?").conversation
    answer = create_signed_in_client(owner).post(
        f"/c/{conversation.pk}/title/", {"title": "Ti\0des"}
    )
    assert answer.status_code == 302
    assert Conversation.objects.get().title == "Ti\ufffddes"


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/?text=a%00b", "/%00", "/admin/?q=%00", "/static/%00.css"])
def test_an_address_with_a_nul_is_refused(owner: User, address: str) -> None:
    answer = create_signed_in_client(owner).get(address)
    assert answer.status_code == 400
    assert "couldn’t read that" in answer.content.decode()


@pytest.mark.django_db
def test_an_address_with_a_nul_is_refused_where_people_sign_up_by_invitation(
    settings: Settings, owner: User
) -> None:
    settings.SIGNUP = "invite"
    assert Client(raise_request_exception=False).get("/c/%00").status_code == 400


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("charset", ["base64", "utf-16", "unicode_escape", "rot13", "x" * 300])
@pytest.mark.parametrize("kind", [URLENCODED, "multipart/form-data; boundary=b"])
async def test_a_form_in_another_charset_than_utf_8_is_refused(kind: str, charset: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\n\xff\r\n--b--\r\n'
    assert await post("/accounts/login/", f"{kind}; charset={charset}", body) == 400
    assert await post("/no/such/page/", f"{kind}; charset={charset}", body) == 400


@pytest.mark.django_db(transaction=True)
async def test_an_unreadable_form_at_an_unknown_address_is_not_found() -> None:
    kind = "multipart/form-data; boundary=" + "b" * 500
    assert await post("/no/such/page/", kind, b"\xff") == 404
    assert await post("/accounts/login/", kind, b"\xff") == 400


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("length", [b"", b"\\", b"-1", b"1e3", b"\xb2", b"9" * 5000])
async def test_an_invalid_content_length_is_refused(length: bytes) -> None:
    status = await post("/accounts/login/", URLENCODED, b"a=b", (b"content-length", length))
    assert status == {b"": 200, b"9" * 5000: 413}.get(length, 400)


@pytest.mark.django_db
@pytest.mark.parametrize("next", ["http://[", "NaNhttp://[::1", "//[", "?x"])
def test_an_invalid_next_url_leads_nowhere(as_owner: Client, next: str) -> None:
    assert Client().get("/accounts/signup/", {"next": next}).status_code == 200
    assert Client().post("/accounts/login/", {"next": next}).status_code == 200
    assert as_owner.post("/accounts/logout/", {"next": next}).status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize("next", ["abc", "?x", "a b", "account_logout", "javascript:alert(1)"])
def test_a_word_is_no_next_page(as_owner: Client, password: str, next: str) -> None:
    for method in (as_owner.get, as_owner.post):
        answer = method("/accounts/2fa/passkeys/sign-in/", {"next": next})
        assert (answer.status_code, answer.headers["Location"]) == (302, "/")


@pytest.mark.django_db
@pytest.mark.parametrize("next", ["abc", "?x", "#", "a b", "http://[", "\r\nX: y", "//evil", "\0"])
def test_a_change_of_appearance_redirects_to_our_own_pages_only(next: str) -> None:
    for name in ("theme", "type"):
        answer = Client().post(f"/{name}/", {"next": next})
        assert answer.status_code == 302
        assert "evil" not in answer.headers["Location"]


@pytest.mark.parametrize("path", ["/ws", "/ws/x", "/", "//", "/wss/", "/ws/\0"])
@pytest.mark.parametrize("extensions", [{}, {"websocket.http.response": {}}])
async def test_a_socket_at_a_wrong_address_is_refused(
    path: str, extensions: dict[str, Any]
) -> None:
    from config.asgi import application

    headers = [HOST, (b"origin", b"http://127.0.0.1:8000")]
    answers = await sending.open_socket(
        application, RawRequest("GET", path, headers), [], extensions
    )
    if extensions:
        assert [answers[0]["status"], len(answers)] == [404, 2]
    else:
        assert answers == [{"type": "websocket.close"}]


@pytest.mark.parametrize("host", ["evil.example", "a b", "", "[::1", "x" * 5000, "\xff"])
def test_a_foreign_host_is_refused_with_one_short_log_line(
    host: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = Client(headers={"Host": host}).get("/")
    assert answer.status_code == 400
    for record in caplog.records:
        assert ClientErrorFilter().filter(record)
        line = logging.Formatter().format(record)
        assert "\n" not in line
        assert len(line) <= MAX_PATH_CHARS + 50
        assert "evil" not in line


def test_an_error_in_our_code_is_logged_with_its_traceback() -> None:
    try:
        raise LookupError("ours")
    except LookupError as error:
        error_info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("django.request", logging.ERROR, "", 0, "Oh", None, error_info)
    record.status_code = 500
    assert ClientErrorFilter().filter(record)
    assert ErrorTextFilter().filter(record)
    text = logging.Formatter().format(record)
    assert "raise LookupError" in text
    assert "LookupError: ours" not in text


DAYS = ("year=9999", "year=99999999999", "year=-1", "year=9999&{0}__month=12", "year=1&{0}__day=99")


@pytest.fixture
def as_administrator(owner: User) -> Client:
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    return create_signed_in_client(owner)


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize(
    ("path", "field"), [("accounts/user", "date_joined"), ("chat/conversation", "updated_at")]
)
def test_a_list_of_the_admin_accepts_impossible_dates(
    as_administrator: Client, path: str, field: str, day: str
) -> None:
    answer = as_administrator.get(f"/admin/{path}/?{field}__{day.format(field)}")
    assert answer.status_code in (200, 302)


def test_the_admins_short_address_of_a_row_is_not_found(as_administrator: Client) -> None:
    for kind in ContentType.objects.values_list("id", flat=True):
        assert as_administrator.get(f"/admin/r/{kind}/abc/").status_code == 404


@pytest.mark.parametrize("page", ["{}/change/", "{}/delete/", "add/", ""])
def test_an_empty_name_of_a_field_in_the_admin_is_refused(
    as_administrator: Client, owner: User, page: str
) -> None:
    path = f"/admin/accounts/user/{page.format(owner.pk)}"
    assert as_administrator.get(f"{path}?_to_field=").status_code == 400
    assert as_administrator.post(path, {"_to_field": ""}).status_code == 400


@pytest.mark.parametrize("row", ["x", "1.5", "", "[1]", "9" * 5000])
def test_an_invalid_id_of_a_selected_row_in_the_admin_is_refused(
    as_administrator: Client, row: str
) -> None:
    form = {"action": "delete_selected", "_selected_action": row, "index": "0"}
    for model in ("chat/modeloverride", "chat/conversation"):
        assert as_administrator.post(f"/admin/{model}/", form).status_code in (302, 400)
