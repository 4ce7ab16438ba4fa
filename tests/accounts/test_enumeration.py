"""Nobody finds out which addresses have an account: the answers have the same bytes and take
equally long."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx2
import pytest
from django.core import mail
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from config import even_answers
from tests.accounts import openid_browser
from tests.accounts.mail_server import run_mail_server
from tests.accounts.openid_browser import build_server
from tests.config.test_headers import fill_path
from tests.fuzz.site import list_addresses
from tools.deployment.deployment import Deployment
from tools.fake_openid.server import serve as serve_openid

PASSWORD = "kelp-holds-fast-7"
TRIES = 3
FORMS: dict[str, tuple[str, dict[str, str]]] = {
    "sign in": ("/accounts/login/", {"login": "{}", "password": "a guess"}),
    "sign up": ("/accounts/signup/", {"email": "{}", "password1": PASSWORD}),
    "sign up by passkey": ("/accounts/signup/passkey/", {"email": "{}"}),
    "reset": ("/accounts/password/reset/", {"email": "{}"}),
    "request a code": ("/accounts/login/code/", {"email": "{}"}),
}
AFTER_SIGN_UP: list[tuple[str, dict[str, str]]] = [
    ("/accounts/confirm-email/", {"action": "resend"}),
    *[("/accounts/confirm-email/", {"code": "ZZZZ-ZZZZ"})] * 3,
]
FOLLOW_UPS: dict[str, list[tuple[str, dict[str, str]]]] = {
    "sign up": AFTER_SIGN_UP,
    "sign up by passkey": AFTER_SIGN_UP,
    "sign up with another server": AFTER_SIGN_UP,
    "request a code": [
        ("/accounts/login/code/confirm/", {"action": "resend"}),
        *[("/accounts/login/code/confirm/", {"code": "ZZZZ-ZZZZ"})] * 3,
    ],
}
TOKENS = re.compile(
    r'(name="csrfmiddlewaretoken" value=")[^"]+|((?:messages|csrftoken|sessionid|expires)=)[^;]+'
    r"|(Expires: ).+"
)


@pytest.fixture
def with_mail_server(settings: Settings) -> None:
    settings.HAS_MAIL_SERVER = True
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
    settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = True
    settings.MFA_PASSKEY_SIGNUP_ENABLED = True
    settings.SIGNUP = "open"


def describe(response: Any, address: str) -> str:
    """Everything that a visitor sees, without tokens, times and the address that they typed."""
    headers = "\n".join(f"{name}: {value}" for name, value in response.headers.items())
    cookies = response.cookies.output()
    told = f"{response.status_code}\n{headers}\n{cookies}\n{response.content.decode()}"
    return TOKENS.sub(r"\1\2\3…", told.replace(address, "ADDRESS"))


def list_answers(name: str, address: str) -> list[str]:
    path, form = FORMS[name]
    return list_answers_of(
        Client(), name, path, {key: text.format(address) for key, text in form.items()}, address
    )


def list_answers_of(
    client: Client, name: str, path: str, form: dict[str, str], address: str
) -> list[str]:
    forms = [(path, form)]
    answers = []
    for path, form in [*forms, *FOLLOW_UPS.get(name, [])]:
        response = client.post(path, form)
        answers.append(describe(response, address))
        if location := response.headers.get("Location"):
            answers.append(describe(client.get(location), address))
    return answers


@pytest.mark.parametrize("name", FORMS)
def test_the_answers_for_known_and_unknown_addresses_have_the_same_bytes(
    db: None, with_mail_server: None, name: str
) -> None:
    User.objects.create_user("owner@holdfast.test", PASSWORD)
    for number in range(TRIES):
        User.objects.create_user(f"person-{number}@known.test", PASSWORD)
        known = list_answers(name, f"person-{number}@known.test")
        unknown = list_answers(name, f"person-{number}@other.test")
        assert known == unknown
    if name != "sign in":
        assert {letter.to[0].split("@")[1] for letter in mail.outbox} >= {"known.test"}


@pytest.mark.parametrize("is_typed", [True, False], ids=["typed", "sent by the server"])
def test_signing_up_with_another_server_tells_nothing(
    db: None, with_mail_server: None, settings: Settings, is_typed: bool
) -> None:
    """The other server has no address of the person, or one that nobody has confirmed."""
    User.objects.create_user("owner@holdfast.test", PASSWORD)
    User.objects.create_user("person@known.test", PASSWORD)
    answers = []
    with serve_openid() as fake:
        settings.SIGN_IN_SERVERS = [build_server(fake)]
        for address in ("person@known.test", "person@other.test"):
            client = Client()
            fake.person = {"sub": address, "email": "" if is_typed else address}
            answer = openid_browser.sign_in(client)
            name, form = "sign up with another server", {"email": address}
            answers.append([describe(answer, address)])
            if is_typed:
                path = answer.headers["Location"]
                answers[-1] += list_answers_of(client, name, path, form, address)
    assert answers[0] == answers[1]
    assert {letter.to[0] for letter in mail.outbox} >= {"person@known.test"}


def test_a_form_that_is_answered_at_once_sends_no_mail_and_makes_no_account(
    db: None, with_mail_server: None, settings: Settings
) -> None:
    """Tries each form of accounts as a visitor, with a known and an unknown address."""
    User.objects.create_user("person@known.test", PASSWORD)
    paths = {fill_path(address) for address in list_addresses()}
    forms = sorted(path for path in paths if path.startswith(even_answers.FORM_PATHS))
    at_once = [path for path in forms if not even_answers.is_even("POST", path)]
    assert "/accounts/login/" in at_once
    assert {path for path, _ in FORMS.values()} - set(at_once) <= set(forms)
    for path in at_once:
        for address in ("person@known.test", "person@other.test"):
            typed = dict.fromkeys(("email", "login"), address) | {"password1": PASSWORD}
            Client().post(path, typed | {"password": "a guess"})
    assert mail.outbox == []
    assert User.objects.count() == 1


def test_adding_an_address_tells_nothing_about_other_accounts(
    as_owner: Client, with_mail_server: None
) -> None:
    as_owner.post("/accounts/reauthenticate/", {"password": PASSWORD})
    User.objects.create_user("person@known.test", PASSWORD)
    answers = []
    for address in ("person@known.test", "person@other.test"):
        form = {"action_add": "", "email": address}
        answers.append(describe(as_owner.post("/accounts/email/", form), address))
        page = describe(as_owner.get("/accounts/confirm-email/"), address)
        wrong = as_owner.post("/accounts/confirm-email/", {"code": "ZZZZ-ZZZZ"})
        answers[-1] += page + describe(wrong, address)
    assert answers[0] == answers[1]


# Durations


MEASURED_TRIES = 200
TRIES_AT_ONCE = 8
MAX_REFUSALS = 4
MAX_DIFFERENCE_SECONDS = 0.005
MAIL_SECONDS = 0.1
"""Far more than the greatest difference. So many tries at once must not fill the queue of mails."""
CREATE_PEOPLE = f"""
from accounts.models import User
from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
hash = make_password("{PASSWORD}")
people = User.objects.bulk_create(
    User(email=f"person-{{n:03}}@known.test", password=hash) for n in range({MEASURED_TRIES})
)
EmailAddress.objects.bulk_create(
    EmailAddress(user=p, email=p.email, verified=True, primary=True) for p in people
)
"""


@pytest.fixture(scope="module")
def mailing_deployment() -> Iterator[Deployment]:
    with run_mail_server(MAIL_SECONDS) as server:
        environment = {
            "EMAIL_URL": f"smtp://127.0.0.1:{server.port}",
            "EMAIL_VERIFICATION": "mandatory",
            "SIGNUP": "open",
            "TRUSTED_PROXY_COUNT": "1",
        }
        with Deployment("embedded", environment=environment) as deployment:
            deployment.manage("shell", "-c", CREATE_PEOPLE)
            yield deployment


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", FORMS)
def test_known_and_unknown_addresses_get_the_same_bytes_equally_soon(
    mailing_deployment: Deployment, name: str
) -> None:
    durations: dict[str, list[float]] = {"known": [], "other": []}
    answers: dict[str, set[str]] = {"known": set(), "other": set()}
    tries = list_tries()
    began = time.perf_counter()
    with ThreadPoolExecutor(count_tries_at_once(name)) as pool:
        results = pool.map(partial(measure, mailing_deployment.base_url, name), tries)
        for (kind, _), (seconds, answer) in zip(tries, results, strict=True):
            durations[kind].append(seconds)
            answers[kind].add(answer)
    medians = {kind: statistics.median(taken) for kind, taken in durations.items()}
    shown = {kind: f"{1000 * median:.1f} ms" for kind, median in medians.items()}
    print(f"{name}, {len(tries)} tries in {time.perf_counter() - began:.0f} s: {shown}")
    assert [len(taken) for taken in durations.values()] == [MEASURED_TRIES] * 2
    assert answers["known"] == answers["other"]
    assert abs(medians["known"] - medians["other"]) < MAX_DIFFERENCE_SECONDS
    assert max(medians.values()) < 3 * even_answers.INTERVAL_SECONDS


def count_tries_at_once(name: str) -> int:
    """An answer that waits for a full second hides how long it stood in a queue. Other forms are
    sent one at a time: passwords are checked one after the other, so eight at once would take from
    60 to 400 ms, and the medians of 200 such tries differ by 10 ms by chance."""
    path, _ = FORMS[name]
    return 1 if even_answers.AT_ONCE_PATHS.fullmatch(path) else TRIES_AT_ONCE


def list_tries() -> list[tuple[str, int]]:
    """Known and unknown addresses in turns. Each kind goes first as often as the other, so that
    neither has the better places in a queue."""
    orders = (("known", "other"), ("other", "known"))
    return [(kind, number) for number in range(MEASURED_TRIES) for kind in orders[number % 2]]


def measure(base_url: str, name: str, one: tuple[str, int]) -> tuple[float, str]:
    """Send the form from an address of its own. Return the seconds, and the answer without tokens
    and the typed address."""
    kind, number = one
    path, form = FORMS[name]
    email = f"person-{number:03}@{kind}.test"
    fields = {key: text.format(email) for key, text in form.items()}
    headers = {"X-Forwarded-For": f"198.51.{100 + (kind == 'known')}.{number + 1}"}
    with httpx2.Client(base_url=base_url, timeout=60, headers=headers) as client:
        client.get(path)
        fields["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
        taken, response = post_until_accepted(client, path, fields)
    assert response.status_code in {200, 302}, response.text
    where = response.headers.get("Location", "")
    told = f"{response.status_code} {where}\n{response.text}".replace(email, "ADDRESS")
    return taken, TOKENS.sub(r"\1\2\3…", told)


def post_until_accepted(
    client: httpx2.Client, path: str, fields: dict[str, str]
) -> tuple[float, httpx2.Response]:
    """Forms of all visitors together are limited. A refused one is sent again when the server says.
    Return the seconds of the accepted one."""
    for _ in range(MAX_REFUSALS):
        start = time.perf_counter()
        response = client.post(path, data=fields)
        taken = time.perf_counter() - start
        if response.status_code != 429:
            return taken, response
        time.sleep(int(response.headers["Retry-After"]))
    raise AssertionError(f"{path} was refused {MAX_REFUSALS} times")
