"""An attacker with 20 accounts and 200 anonymous connections, and what an honest person notices.

    python -m tests.chaos.attack                              all of it, about 90 minutes
    python -m tests.chaos.attack --seconds 10 --mode H2       one mode, for a short time
    python -m tests.chaos.attack --mode mixed --shape proxy   everybody behind one address
    python -m tests.chaos.attack --server uvicorn             the other server

or `make attack SECONDS=10 MODE=H2 SHAPE=own SERVER=uvicorn`. For each mode a new `make stack` is
started; the honest person is measured in a quiet time, then during the attack. The attackers have
one core and the addresses 127.0.0.2 to 40. In the shape `proxy` they have the honest person's own,
as behind a proxy that the settings do not mention. Everything stays on loopback and ends by itself.
Exits with 1 when a line of the table failed.
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

from tests.chaos.attackers import AttackOrder
from tests.chaos.honest import EMAIL, HONEST_ANSWER, PASSWORD, HonestPerson, Measurements, sign_in
from tools.deployment.deployment import Server
from tools.fake_provider import Behaviour, Fake
from tools.services.helper_process import Child
from tools.stack import Stack
from tools.waiting import until

MODES = ("H1", "H2", "H3", "H4", "H5", "H6", "H7", "H8", "mixed")
Shape = Literal["own", "proxy"]
SOURCE_ADDRESSES: dict[str, list[str]] = {
    "own": [f"127.0.0.{number}" for number in range(2, 41)],
    "proxy": ["127.0.0.1"],
}
ACCOUNT_COUNT = 20
FULL_RUN_SECONDS = 120.0  # for 60 pages and 20 first tokens

MAX_DELAY_SECONDS = {"pages": 1.0, "tokens": 3.0}
"""The allowed increase of the p95 of a page and of a first token over the quiet time before."""
MAX_GROWTH_BYTES = 50 * 2**20

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


@dataclass(frozen=True, slots=True)
class ResourceUsage:
    """Bytes that a stack uses: in its tables, in its files and logs, in the memory of all
    processes."""

    tables: int
    files: int
    memory: dict[str, int]


@dataclass(slots=True)
class AttackResult:
    """One mode in one shape: the honest person's measurements, and the growth."""

    mode: str
    shape: str
    quiet: Measurements
    attacked: Measurements
    before: ResourceUsage
    after: ResourceUsage
    counts: dict[str, int] = field(default_factory=dict)
    samples: dict[str, str] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    can_sign_in: bool = True
    """Whether a new browser could sign in as the honest person."""

    def get_delay(self, name: str) -> float:
        """Seconds between the p95 of the attack and that of the quiet time."""
        return self.attacked.p95(name) - self.quiet.p95(name)

    @property
    def disk_growth(self) -> int:
        return self.after.tables - self.before.tables + self.after.files - self.before.files

    @property
    def memory_growth(self) -> int:
        return sum(self.memory_growth_by_program.values())

    @property
    def memory_growth_by_program(self) -> dict[str, int]:
        before, after = self.before.memory, self.after.memory
        return {name: after.get(name, 0) - before.get(name, 0) for name in after | before}

    def find_failures(self) -> Iterator[str]:
        for name, limit in MAX_DELAY_SECONDS.items():
            if (delay := self.get_delay(name)) > limit:
                yield f"p95 of {name} {delay:.2f} s later, at most {limit:g}"
        for name, grown in (
            ("tables, files and logs", self.disk_growth),
            ("memory", self.memory_growth),
        ):
            if grown > MAX_GROWTH_BYTES:
                yield f"{name} grew by {format_megabytes(grown)}"
        yield from dict.fromkeys(self.attacked.failures)
        yield from self.losses


def run_attack(
    mode: str, shape: Shape, seconds: float, settle: float, seed: str, server: Server
) -> AttackResult:
    """Run one stack from its start to its end."""
    with ExitStack() as open_:
        fake = open_.enter_context(Fake.spawn())
        environment = {"OPENAI_BASE_URL": fake.openai}
        stack = open_.enter_context(
            Stack(server=server, environment=environment, report=lambda _: None)
        )
        first, stolen, *accounts = create_accounts(stack)
        honest = open_.enter_context(HonestPerson(stack.base_url, first, stack.rows))
        fake.script(HONEST_ANSWER)
        share = seconds / FULL_RUN_SECONDS
        honest.measure(min(seconds, 5), share=0)  # loading on first use is no growth
        browser = open_.enter_context(honest.open_browser())
        assert sign_in(browser, EMAIL, PASSWORD)
        quiet = honest.measure(seconds, share=share)
        order = AttackOrder(
            mode=mode,
            seconds=seconds,
            seed=seed,
            ports=[web.port for web in stack.webs],
            sources=SOURCE_ADDRESSES[shape],
            accounts=accounts,
            targets=create_expensive_replies(stack, fake, accounts)
            if mode in ("H1", "mixed")
            else [],
            victim=EMAIL,
            stolen=stolen,
        )
        before = measure_usage(stack)
        attacked, results = measure_under_attack(order, honest, browser, seconds, share)
        losses = list(find_losses(stack, browser))
        with honest.open_browser() as fresh:
            can_sign_in = sign_in(fresh, EMAIL, PASSWORD)
        time.sleep(settle)
        return AttackResult(
            mode,
            shape,
            quiet,
            attacked,
            before,
            measure_usage(stack),
            results["counts"],
            results["samples"],
            losses,
            can_sign_in,
        )


def measure_under_attack(
    order: AttackOrder, honest: HonestPerson, browser: httpx2.Client, seconds: float, share: float
) -> tuple[Measurements, dict[str, Any]]:
    """Return the honest person's measurements during an attack, and the results of the
    attackers."""
    command = (sys.executable, "-m", "tests.chaos.attackers")
    with Child("attackers", *command) as attackers:
        attackers.send_order(**asdict(order))
        attacked = honest.measure(seconds, share=share, browser=browser)
        return attacked, attackers.read_answer()


def create_accounts(stack: Stack) -> list[str]:
    """Create sessions: two of the honest person, of which one will be stolen, and the attackers'.
    They are created without the pages, because signing up is limited, and may be closed. The honest
    person's account is the newest, because older ones go first when processes are busy."""
    emails = [*(f"attacker-{number}@evil.test" for number in range(ACCOUNT_COUNT)), EMAIL]
    code = CREATE_ACCOUNTS_CODE.format(password=PASSWORD, emails=emails)
    *attackers, first = json.loads(stack.manage("shell", "-c", code).splitlines()[-1])
    return [first, copy_session(stack, first), *attackers]


def copy_session(stack: Stack, session: str) -> str:
    """Create another session of the same person."""
    copy = ("z" + session)[: len(session)]
    execute_sql(
        stack,
        "INSERT INTO django_session (session_key, session_data, expire_date) "
        "SELECT %s, session_data, expire_date FROM django_session WHERE session_key = %s",
        copy,
        session,
    )
    return copy


def execute_sql(stack: Stack, sql: str, *values: Any) -> list[Any]:
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        cursor = connection.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


# H1


def create_expensive_replies(
    stack: Stack, fake: Fake, accounts: Sequence[str]
) -> list[tuple[int, str]]:
    """Create replies of the attackers that are expensive to render. Return accounts and their
    pages."""
    named = [(f"nasty-{number}", text) for number, text in enumerate(EXPENSIVE_TEXTS)]
    fake.script(*(Behaviour.of(text, prompt=name, times=None) for name, text in named))
    for number, (name, _) in enumerate(named):
        with HonestPerson(stack.base_url, accounts[number], stack.rows) as attacker:
            form = {"text": name, "model": "gpt-4o-mini", "request_id": build_request_id(number)}
            answer = attacker.http.post("/c/", data=form)
            if answer.status_code != 302:
                print(f"A nasty question was answered {answer.status_code}: {answer.text[:300]}")
    waiting = "SELECT 1 FROM streaming_stream WHERE ended_at IS NULL"
    until(lambda: not execute_sql(stack, waiting), within=120, what="the nasty replies to end")
    pages = execute_sql(
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


def build_request_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


# State after the attack


def find_losses(stack: Stack, browser: httpx2.Client) -> Iterator[str]:
    """Yield the losses of the honest person, who used this browser before. Signing in from a new
    browser is reported separately: docs/decisions/0012."""
    rows = execute_sql(
        stack,
        "SELECT e.email FROM account_emailaddress e JOIN accounts_user u ON u.id = e.user_id "
        "WHERE u.email = %s AND e.email <> u.email",
        EMAIL,
    )
    if rows:
        yield f"{rows[0][0]} is an address of the honest person's account now"
    if not execute_sql(stack, "SELECT 1 FROM accounts_user WHERE email = %s", EMAIL):
        yield "the honest person's account has another address now"
    if not sign_in(browser, EMAIL, PASSWORD):
        yield "the honest person can't sign in from a known browser"


def measure_usage(stack: Stack) -> ResourceUsage:
    [(tables,)] = execute_sql(stack, "SELECT pg_database_size(current_database())")
    return ResourceUsage(tables, measure_folder(stack.folder), measure_memory(stack))


def measure_folder(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure_memory(stack: Stack) -> dict[str, int]:
    """Return the resident bytes of all processes; for PostgreSQL without its cache, which has a
    fixed size."""
    assert stack.redis is not None
    programs = {program.name: program.pid for program in (*stack.programs, stack.redis)}
    memory = {name: psutil.Process(pid).memory_info().rss for name, pid in programs.items()}
    server, memory["postgresql"] = psutil.Process(stack.postgres.pid), 0
    for process in (server, *server.children()):
        with suppress(psutil.Error):  # a session that has just ended
            memory["postgresql"] += sum(area.anonymous for area in process.memory_maps())
    return memory


# Report


def format_results(results: Sequence[AttackResult]) -> str:
    head = ("mode", "shape", "pages p95", "quiet", "token p95", "quiet", "disk", "memory", "")
    rows = [head, *(format_row(result) for result in results)]
    widths = [max(len(line[column]) for line in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in rows
    )


def format_row(result: AttackResult) -> tuple[str, ...]:
    both = (result.attacked, result.quiet)
    pages, tokens = (
        [f"{figures.p95(name):.2f} s" for figures in both] for name in MAX_DELAY_SECONDS
    )
    failed = "failed" if any(result.find_failures()) else "held"
    grown = (format_megabytes(result.disk_growth), format_megabytes(result.memory_growth))
    return (result.mode, result.shape, *pages, *tokens, *grown, failed)


def format_megabytes(size: int) -> str:
    return f"{size / 2**20:+.1f} MB"


def print_result(result: AttackResult) -> None:
    """Print all responses to the attackers: if all requests of a mode were refused, it was no
    attack."""
    grown = (
        f"{name} {format_megabytes(size)}" for name, size in result.memory_growth_by_program.items()
    )
    print(f"  memory: {', '.join(grown)}")
    sign_ins = ", ".join(f"{seconds:.1f} s" for seconds in result.attacked.sign_ins)
    print(f"  signing in from a known browser, during the attack: {sign_ins}")
    print(f"  signing in from a fresh browser: {'possible' if result.can_sign_in else 'barred'}")
    for key, count in sorted(result.counts.items()):
        print(f"  {count:>7,}  {key}  {result.samples.get(key, '')}".rstrip())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.attack", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=float,
        default=FULL_RUN_SECONDS,
        help="of each mode, and of the quiet time",
    )
    parser.add_argument(
        "--settle", type=float, help="seconds from its end to the last measurement of memory"
    )
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--shape", choices=sorted(SOURCE_ADDRESSES), action="append")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--server", choices=["daphne", "uvicorn"], default="daphne")
    arguments = parser.parse_args()
    settle = min(60.0, arguments.seconds / 2) if arguments.settle is None else arguments.settle
    results = []
    shapes: list[Shape] = arguments.shape or list(SOURCE_ADDRESSES)
    for shape in shapes:
        for mode in arguments.mode or MODES:
            results.append(
                run_attack(mode, shape, arguments.seconds, settle, arguments.seed, arguments.server)
            )
            print(format_results(results[-1:]), flush=True)
            print_result(results[-1])
    failed = [f"{r.mode} {r.shape}: {line}" for r in results for line in r.find_failures()]
    print("\n".join(["", format_results(results), "", *failed]))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
