"""An attacker with 20 accounts and 200 anonymous connections, and what an honest person notices.

    python -m tests.chaos.attack                              all of it, about 90 minutes
    python -m tests.chaos.attack --seconds 10 --mode H2       one finding, shortly
    python -m tests.chaos.attack --mode mixed --shape proxy   everybody behind one address
    python -m tests.chaos.attack --server uvicorn             the other server

or `make attack SECONDS=10 MODE=H2 SHAPE=own SERVER=uvicorn`. For each mode a new `make stack` is
started; the honest person is measured while it is quiet, then while it is attacked. The attackers
have one core and the addresses 127.0.0.2 to 40, or in the shape `proxy` the honest person's own, as
behind a proxy that is not told of. Everything stays on loopback and ends by itself. Not zero when a
line of the table failed.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx2
import psutil
import psycopg

from tests.chaos.attackers import Order
from tests.chaos.honest import ANSWER, EMAIL, PASSWORD, Figures, Honest, sign_in
from tools.deployment.deployment import Server
from tools.fake_provider import Behaviour, Fake
from tools.services.helper_process import Child
from tools.stack import Stack
from tools.waiting import until

MODES = ("H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8", "mixed")
Shape = Literal["own", "proxy"]
SOURCES: dict[str, list[str]] = {
    "own": [f"127.0.0.{number}" for number in range(2, 41)],
    "proxy": ["127.0.0.1"],
}
ACCOUNTS = 20
WHOLE = 120.0  # seconds for 60 pages and 20 first tokens

LATER_SECONDS = {"pages": 1.0, "tokens": 3.0}
"""The allowed increase of the p95 of a page and of a first token over the quiet time before."""
GROWTH_BYTES = 50 * 2**20

NASTY = (
    "http://a/" + ")" * 100_000,
    r"\(" * 50_000,
    "- a\n" * 25_000,
    "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n" + "|\n" * 3_000,
    ">" * 2_000,
    "[" * 50_000,
    "&" * 400_000,
)
ACCOUNTS_CODE = """
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


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes that a stack uses: in its tables, in its files and logs, in the memory of all
    processes."""

    tables: int
    files: int
    memory: dict[str, int]


@dataclass(slots=True)
class Result:
    """One mode in one shape: the honest person's figures, and the growth."""

    mode: str
    shape: str
    quiet: Figures
    attacked: Figures
    before: Size
    after: Size
    counts: dict[str, int] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    is_open: bool = True
    """Whether a new browser could sign in as the honest person."""

    def later(self, name: str) -> float:
        """Seconds between the p95 of the attack and that of the quiet time."""
        return self.attacked.p95(name) - self.quiet.p95(name)

    @property
    def disk(self) -> int:
        return self.after.tables - self.before.tables + self.after.files - self.before.files

    @property
    def memory(self) -> int:
        return sum(self.memory_by_program.values())

    @property
    def memory_by_program(self) -> dict[str, int]:
        before, after = self.before.memory, self.after.memory
        return {name: after.get(name, 0) - before.get(name, 0) for name in after | before}

    def failures(self) -> Iterator[str]:
        for name, most in LATER_SECONDS.items():
            if (later := self.later(name)) > most:
                yield f"p95 of {name} {later:.2f} s later, at most {most:g}"
        for name, grown in (("tables, files and logs", self.disk), ("memory", self.memory)):
            if grown > GROWTH_BYTES:
                yield f"{name} grew by {megabytes(grown)}"
        yield from dict.fromkeys(self.attacked.faults)
        yield from self.taken


def attack(
    mode: str, shape: Shape, seconds: float, settle: float, seed: str, server: Server
) -> Result:
    """Run one stack from its start to its end."""
    with ExitStack() as open_:
        fake = open_.enter_context(Fake.spawn())
        environment = {"OPENAI_BASE_URL": fake.openai}
        stack = open_.enter_context(
            Stack(server=server, environment=environment, report=lambda _: None)
        )
        first, stolen, *accounts = make_accounts(stack)
        honest = open_.enter_context(Honest(stack.base_url, first, stack.rows))
        fake.script(ANSWER)
        share = seconds / WHOLE
        honest.measure(min(seconds, 5), share=0)  # loading on first use is no growth
        browser = open_.enter_context(honest.open_browser())
        assert sign_in(browser, EMAIL, PASSWORD)
        quiet = honest.measure(seconds, share=share)
        order = Order(
            mode=mode,
            seconds=seconds,
            seed=seed,
            ports=[web.port for web in stack.webs],
            sources=SOURCES[shape],
            accounts=accounts,
            targets=nasty_replies(stack, fake, accounts) if mode in ("H1", "mixed") else [],
            victim=EMAIL,
            stolen=stolen,
        )
        before = size(stack)
        attacked, met = under_attack(order, honest, browser, seconds, share)
        taken = list(losses(stack, browser))
        with honest.open_browser() as fresh:
            is_open = sign_in(fresh, EMAIL, PASSWORD)
        time.sleep(settle)
        return Result(
            mode,
            shape,
            quiet,
            attacked,
            before,
            size(stack),
            met["counts"],
            met["said"],
            taken,
            is_open,
        )


def under_attack(
    order: Order, honest: Honest, browser: httpx2.Client, seconds: float, share: float
) -> tuple[Figures, dict[str, Any]]:
    """Return the honest person's figures during an attack, and the results of the attackers."""
    command = (sys.executable, "-m", "tests.chaos.attackers")
    with Child("attackers", *command) as attackers:
        attackers.send_order(**asdict(order))
        attacked = honest.measure(seconds, share=share, browser=browser)
        return attacked, attackers.read_answer()


def make_accounts(stack: Stack) -> list[str]:
    """Create sessions: two of the honest person, of which one will be stolen, and the attackers'.
    They are created without the pages, because signing up is limited, and may be closed. The honest
    person's account is the newest, because older ones go first when processes are busy."""
    emails = [*(f"attacker-{number}@evil.test" for number in range(ACCOUNTS)), EMAIL]
    code = ACCOUNTS_CODE.format(password=PASSWORD, emails=emails)
    *attackers, first = json.loads(stack.manage("shell", "-c", code).splitlines()[-1])
    return [first, copied_session(stack, first), *attackers]


def copied_session(stack: Stack, session: str) -> str:
    """Create another session of the same person."""
    copy = ("z" + session)[: len(session)]
    execute(
        stack,
        "INSERT INTO django_session (session_key, session_data, expire_date) "
        "SELECT %s, session_data, expire_date FROM django_session WHERE session_key = %s",
        copy,
        session,
    )
    return copy


def execute(stack: Stack, sql: str, *values: Any) -> list[Any]:
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        found = connection.execute(sql, values)
        return found.fetchall() if found.description else []


# H1


def nasty_replies(stack: Stack, fake: Fake, accounts: Sequence[str]) -> list[tuple[int, str]]:
    """Give the attackers' accounts pages with expensive replies."""
    named = [(f"nasty-{number}", text) for number, text in enumerate(NASTY)]
    fake.script(*(Behaviour.of(text, prompt=name, times=None) for name, text in named))
    for number, (name, _) in enumerate(named):
        with Honest(stack.base_url, accounts[number], stack.rows) as attacker:
            form = {"text": name, "model": "gpt-4o-mini", "request_id": request_id(number)}
            answer = attacker.http.post("/c/", data=form)
            if answer.status_code != 302:
                print(f"A nasty question was answered {answer.status_code}: {answer.text[:300]}")
    waiting = "SELECT 1 FROM streaming_stream WHERE ended_at IS NULL"
    until(lambda: not execute(stack, waiting), within=120, what="the nasty replies to end")
    pages = execute(
        stack,
        "SELECT u.email, m.id, m.conversation_id FROM chat_message m "
        "JOIN chat_conversation c ON c.id = m.conversation_id "
        "JOIN accounts_user u ON u.id = c.user_id "
        "WHERE m.role = 'assistant' AND u.email LIKE 'attacker-%%'",
    )
    return [
        (int(email.split("@")[0].split("-")[1]), path)
        for email, message, conversation in pages
        for path in (f"/m/{message}/", f"/c/{conversation}/")
    ]


def request_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


# State after the attack


def losses(stack: Stack, browser: httpx2.Client) -> Iterator[str]:
    """Yield the losses of the honest person, who used this browser before. Signing in from a new
    browser is reported separately: docs/decisions/0012."""
    rows = execute(
        stack,
        "SELECT e.email FROM account_emailaddress e JOIN accounts_user u ON u.id = e.user_id "
        "WHERE u.email = %s AND e.email <> u.email",
        EMAIL,
    )
    if rows:
        yield f"{rows[0][0]} is an address of the honest person's account now"
    if not execute(stack, "SELECT 1 FROM accounts_user WHERE email = %s", EMAIL):
        yield "the honest person's account has another address now"
    if not sign_in(browser, EMAIL, PASSWORD):
        yield "the honest person can't sign in from a known browser"


def size(stack: Stack) -> Size:
    [(tables,)] = execute(stack, "SELECT pg_database_size(current_database())")
    return Size(tables, folder_size(stack.folder), memory_of(stack))


def folder_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def memory_of(stack: Stack) -> dict[str, int]:
    """Return the resident bytes of all processes; for PostgreSQL without its cache, which has a
    fixed size."""
    assert stack.redis is not None
    programs = {program.name: program.pid for program in (*stack.programs, stack.redis)}
    taken = {name: psutil.Process(pid).memory_info().rss for name, pid in programs.items()}
    server, taken["postgresql"] = psutil.Process(stack.postgres.pid), 0
    for process in (server, *server.children()):
        with suppress(psutil.Error):  # a session that has just ended
            taken["postgresql"] += sum(area.anonymous for area in process.memory_maps())
    return taken


# Report


def table(results: Sequence[Result]) -> str:
    head = ("mode", "shape", "pages p95", "quiet", "token p95", "quiet", "disk", "memory", "")
    rows = [head, *(row(result) for result in results)]
    widths = [max(len(line[column]) for line in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in rows
    )


def row(result: Result) -> tuple[str, ...]:
    figures = (result.attacked, result.quiet)
    pages, tokens = ([f"{f.p95(name):.2f} s" for f in figures] for name in LATER_SECONDS)
    failed = "failed" if any(result.failures()) else "held"
    grown = (megabytes(result.disk), megabytes(result.memory))
    return (result.mode, result.shape, *pages, *tokens, *grown, failed)


def megabytes(size: int) -> str:
    return f"{size / 2**20:+.1f} MB"


def tell(result: Result) -> None:
    """Print the results of the attackers in full: if all requests of a mode were refused, the mode
    was no attack."""
    grown = (f"{name} {megabytes(size)}" for name, size in result.memory_by_program.items())
    print(f"  memory: {', '.join(grown)}")
    sign_ins = ", ".join(f"{seconds:.1f} s" for seconds in result.attacked.sign_ins)
    print(f"  signing in from a known browser, during the attack: {sign_ins}")
    print(f"  signing in from a fresh browser: {'possible' if result.is_open else 'barred'}")
    for key, count in sorted(result.counts.items()):
        print(f"  {count:>7,}  {key}  {result.said.get(key, '')}".rstrip())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.attack", description=__doc__)
    parser.add_argument("--seconds", type=float, default=WHOLE, help="of each mode; and quiet")
    parser.add_argument("--settle", type=float, help="from its end to the last look at memory")
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--shape", choices=sorted(SOURCES), action="append")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--server", choices=["daphne", "uvicorn"], default="daphne")
    given = parser.parse_args()
    settle = min(60.0, given.seconds / 2) if given.settle is None else given.settle
    results = []
    shapes: list[Shape] = given.shape or list(SOURCES)
    for shape in shapes:
        for mode in given.mode or MODES:
            results.append(attack(mode, shape, given.seconds, settle, given.seed, given.server))
            print(table(results[-1:]), flush=True)
            tell(results[-1])
    failed = [f"{r.mode} {r.shape}: {line}" for r in results for line in r.failures()]
    print("\n".join(["", table(results), "", *failed]))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
