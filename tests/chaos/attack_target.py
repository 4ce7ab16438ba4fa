"""The installation that is attacked: its accounts and expensive replies, what it uses, and what the
honest person has lost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import httpx2
import psutil

from tests.chaos.attack_result import ResourceUsage
from tests.chaos.honest import EMAIL, PASSWORD, HonestPerson, sign_in
from tools.deployment.deployment import Deployment
from tools.fake_provider import Behaviour, Fake
from tools.stack import Stack
from tools.waiting import until

ACCOUNT_COUNT = 20
EXPENSIVE_TEXTS = (
    "http://a/" + ")" * 100_000,
    r"\(" * 50_000,
    "- a\n" * 25_000,
    "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n" + "|\n" * 3_000,
    ">" * 2_000,
    "[" * 50_000,
    "&" * 400_000,
)
CREATE_ACCOUNTS_CODE = """
import json
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.backends.db import SessionStore
from allauth.account.models import EmailAddress
from accounts.models import User
hashed = make_password({password!r})
made = []
for email in {emails!r}:
    user = User.objects.create(email=email, password=hashed)
    EmailAddress.objects.create(user=user, email=email, primary=True, verified=True)
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = settings.AUTHENTICATION_BACKENDS[0]
    session["_auth_user_hash"] = user.get_session_auth_hash()
    session.create()
    made.append(session.session_key)
print(json.dumps(made))
"""


def create_accounts(stack: Deployment) -> list[str]:
    """Create sessions: two of the honest person, of which one will be stolen, and those of twice
    ACCOUNT_COUNT attackers, half of them for the first attack.
    They are created without the pages, because signing up is limited, and may be closed. The honest
    person's account is the newest, because older ones go first when processes are busy."""
    emails = [*(f"attacker-{number}@evil.test" for number in range(2 * ACCOUNT_COUNT)), EMAIL]
    code = CREATE_ACCOUNTS_CODE.format(password=PASSWORD, emails=emails)
    *attackers, first = json.loads(stack.manage("shell", "-c", code).splitlines()[-1])
    return [first, copy_session(stack, first), *attackers]


def check_keys_everywhere(stack: Deployment, sessions: Sequence[str]) -> None:
    """Let each web process check a key of each provider. The libraries that it loads for that are
    no growth."""
    token = "a" * 32
    for web in stack.webs:
        for session, provider in zip(sessions, ("openai", "anthropic", "google"), strict=False):
            answer = httpx2.post(
                f"{web.url}/settings/keys/{provider}/",
                data={"key": "sk-first-0123456789"},
                headers={"X-CSRFToken": token, "Cookie": f"csrftoken={token}; sessionid={session}"},
                timeout=60,
            )
            assert answer.status_code < 500, answer


def copy_session(stack: Deployment, session: str) -> str:
    """Create another session of the same person."""
    copy = ("z" + session)[: len(session)]
    stack.rows.query(
        "INSERT INTO django_session (session_key, session_data, expire_date) "
        "SELECT %s, session_data, expire_date FROM django_session WHERE session_key = %s "
        "RETURNING session_key",
        copy,
        session,
    )
    return copy


def create_expensive_replies(
    stack: Deployment, fake: Fake, accounts: Sequence[str]
) -> list[tuple[int, str]]:
    """Create replies of the attackers that are expensive to render. Return accounts and their
    pages."""
    named = [(f"nasty-{number}", text) for number, text in enumerate(EXPENSIVE_TEXTS)]
    fake.script(*(Behaviour.of(text, prompt=name, times=None) for name, text in named))
    for number, (name, _) in enumerate(named):
        with HonestPerson(stack.base_url, accounts[number], stack.rows) as attacker:
            form = {"text": name, "model": "gpt-5.5", "request_id": build_request_id(number)}
            answer = attacker.http.post("/c/", data=form)
            if answer.status_code != 302:
                print(f"A nasty question was answered {answer.status_code}: {answer.text[:300]}")
    waiting = "SELECT 1 FROM streaming_stream WHERE ended_at IS NULL"
    until(lambda: not stack.rows.query(waiting), within=120, what="the nasty replies to end")
    rows = stack.rows.query(
        "SELECT u.email, m.id, m.conversation_id FROM chat_message m "
        "JOIN chat_conversation c ON c.id = m.conversation_id "
        "JOIN accounts_user u ON u.id = c.user_id "
        "WHERE m.role = 'assistant' AND u.email <> %s",
        EMAIL,
    )
    owners = [int(row["email"].split("@")[0].split("-")[1]) for row in rows]
    return [
        (owner, path)
        for owner, row in zip(owners, rows, strict=True)
        if owner < len(named)  # others have replies too
        for path in (f"/m/{UUID(str(row['id']))}/", f"/c/{UUID(str(row['conversation_id']))}/")
    ]


def build_request_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


# State after the attack


def find_losses(stack: Deployment, browser: httpx2.Client) -> Iterator[str]:
    """Yield the losses of the honest person, who used this browser before. Signing in from a new
    browser is reported separately: docs/decisions/0012."""
    rows = stack.rows.query(
        "SELECT e.email FROM account_emailaddress e JOIN accounts_user u ON u.id = e.user_id "
        "WHERE u.email = %s AND e.email <> u.email",
        EMAIL,
    )
    if rows:
        yield f"{rows[0]['email']} is an address of the honest person's account now"
    if not stack.rows.of("accounts_user", email=EMAIL):
        yield "the honest person's account has another address now"
    if not sign_in(browser, EMAIL, PASSWORD):
        yield "the honest person can't sign in from a known browser"


def measure_usage(stack: Deployment) -> ResourceUsage:
    """Without PostgreSQL the tables are among the files."""
    tables = 0
    if isinstance(stack, Stack):
        [row] = stack.rows.query("SELECT pg_database_size(current_database()) AS bytes")
        tables = row["bytes"]
    return ResourceUsage(tables, measure_folder(stack.folder), measure_memory(stack))


def measure_folder(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure_memory(stack: Deployment) -> dict[str, int]:
    """Return the resident bytes of all processes; for PostgreSQL without its cache, which has a
    fixed size."""
    programs = {program.name: program.pid for program in stack.programs}
    if stack.redis is not None:
        programs[stack.redis.name] = stack.redis.pid
    memory = {name: psutil.Process(pid).memory_info().rss for name, pid in programs.items()}
    if isinstance(stack, Stack):
        server, memory["postgresql"] = psutil.Process(stack.postgres.pid), 0
        for process in (server, *server.children()):
            with suppress(psutil.Error):  # a session that has just ended
                memory["postgresql"] += sum(area.anonymous for area in process.memory_maps())
    return memory
