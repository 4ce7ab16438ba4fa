"""An attacker with 20 accounts and 200 anonymous connections, and what an honest person notices.

    python -m tests.chaos.attack                              all of it, some hours
    python -m tests.chaos.attack --seconds 10 --mode H2       one mode, for a short time
    python -m tests.chaos.attack --mode mixed --shape proxy   everybody behind one address
    python -m tests.chaos.attack --server uvicorn             the other server
    python -m tests.chaos.attack --sqlite                     one process, as `make run` starts it

or `make attack SECONDS=10 MODE=H2 SHAPE=own SERVER=uvicorn DATABASE=sqlite`. The modes are in
tests/chaos/attack_modes. For each a new installation is started; the honest person is measured in a
quiet time, then during the attack. The attackers have one core and the addresses 127.0.0.2 to 40.
In the shape `proxy` they have the honest person's own, as behind a proxy that the settings do not
mention. Everything stays on loopback and ends by itself. Exits with 1 when a line of the table
failed.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import httpx2

from tests.chaos.attack_modes import FINDINGS, MIDDLE_FINDINGS, MIXES, MODES, MORE
from tests.chaos.attack_modes.client import AttackOrder
from tests.chaos.attack_result import AttackResult, format_results, print_result
from tests.chaos.attack_target import (
    ACCOUNT_COUNT,
    check_keys_everywhere,
    create_accounts,
    create_expensive_replies,
    find_losses,
    measure_usage,
)
from tests.chaos.honest import EMAIL, HONEST_ANSWER, PASSWORD, HonestPerson, Measurements, sign_in
from tools.deployment.deployment import Deployment, Server
from tools.fake_provider import Fake
from tools.services.helper_process import Child
from tools.stack import Stack

Shape = Literal["own", "proxy"]
SOURCE_ADDRESSES: dict[str, list[str]] = {
    "own": [f"127.0.0.{number}" for number in range(2, 41)],
    "proxy": ["127.0.0.1"],
}
FIRST_ADDRESSES = [f"127.0.0.{number}" for number in range(42, 81)]
PARTS = {
    "findings": (*FINDINGS, *MIDDLE_FINDINGS, "mixed"),
    "more": (*MORE, "mixed-more"),
}
FULL_RUN_SECONDS = 120.0  # for 60 pages and 20 first tokens


@dataclass(frozen=True, slots=True)
class Target:
    """The kind of installation that is attacked."""

    server: Server
    is_sqlite: bool

    def build(self, environment: Mapping[str, str]) -> Deployment:
        if self.is_sqlite:
            return Deployment("embedded", server=self.server, environment=environment)
        return Stack(server=self.server, environment=environment, report=lambda _: None)


def run_attack(
    mode: str, shape: Shape, seconds: float, settle: float, seed: str, target: Target
) -> AttackResult:
    """Run one installation from its start to its end."""
    with ExitStack() as open_:
        fake = open_.enter_context(Fake.spawn())
        environment = {
            "OPENAI_BASE_URL": fake.openai,
            "ANTHROPIC_BASE_URL": fake.anthropic,
            "GOOGLE_GEMINI_BASE_URL": fake.google,
        }
        stack = open_.enter_context(target.build(environment))
        first, stolen, *accounts = create_accounts(stack)
        accounts, others = accounts[:ACCOUNT_COUNT], accounts[ACCOUNT_COUNT:]
        honest = open_.enter_context(HonestPerson(stack.base_url, first, stack.rows))
        fake.script(HONEST_ANSWER)
        load_everything(stack, [*accounts, *others])
        honest.measure(min(seconds, 5), share=0)  # loading on first use is no growth
        share = seconds / FULL_RUN_SECONDS
        browser = open_.enter_context(honest.open_browser())
        assert sign_in(browser, EMAIL, PASSWORD)
        quiet = honest.measure(seconds, share=share)
        has_targets = mode in ("H1", "mixed")
        order = AttackOrder(
            mode=mode,
            seconds=seconds,
            seed=seed,
            ports=[web.port for web in stack.webs],
            sources=SOURCE_ADDRESSES[shape],
            accounts=accounts,
            targets=create_expensive_replies(stack, fake, accounts) if has_targets else [],
            victim=EMAIL,
            stolen=stolen,
        )
        # The expensive pages are those of the same accounts.
        earlier = order if order.targets else replace(order, accounts=others)
        first_growth = measure_first_growth(stack, earlier, settle)
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
            first_growth,
        )


def load_everything(stack: Deployment, accounts: Sequence[str]) -> None:
    """Let each process load its libraries, and open its threads and connections, for others than
    the honest person, who has used little so far, as most people have."""
    check_keys_everywhere(stack, accounts[:ACCOUNT_COUNT])
    with HonestPerson(stack.base_url, accounts[-1], stack.rows) as busy:
        busy.warm_up()


def measure_first_growth(stack: Deployment, order: AttackOrder, settle: float) -> int:
    """Let others attack for a moment, from other addresses. Return by how many bytes the memory
    grew: what an attack fills once, such as the caches of connections to the database, has a fixed
    size."""
    before = measure_usage(stack)
    short = replace(order, seconds=min(order.seconds, 5.0), sources=FIRST_ADDRESSES)
    with Child("first attackers", sys.executable, "-m", "tests.chaos.attackers") as attackers:
        attackers.send_order(**asdict(short))
        attackers.read_answer()
    time.sleep(settle)
    return sum(measure_usage(stack).memory.values()) - sum(before.memory.values())


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
    parser.add_argument("--mode", choices=[*MODES, *MIXES], action="append")
    parser.add_argument("--part", choices=PARTS, help="all modes of a half")
    parser.add_argument("--shape", choices=sorted(SOURCE_ADDRESSES), action="append")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--server", choices=["daphne", "uvicorn"], default="daphne")
    parser.add_argument(
        "--sqlite", action="store_true", help="one process on SQLite, as `make run` starts it"
    )
    arguments = parser.parse_args()
    settle = min(60.0, arguments.seconds / 2) if arguments.settle is None else arguments.settle
    target = Target(arguments.server, arguments.sqlite)
    results = []
    shapes: list[Shape] = arguments.shape or list(SOURCE_ADDRESSES)
    for shape in shapes:
        for mode in arguments.mode or PARTS.get(arguments.part, (*MODES, *MIXES)):
            results.append(
                run_attack(mode, shape, arguments.seconds, settle, arguments.seed, target)
            )
            print(format_results(results[-1:]), flush=True)
            print_result(results[-1])
    failed = [f"{r.mode} {r.shape}: {line}" for r in results for line in r.find_failures()]
    print("\n".join(["", format_results(results), "", *failed]))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
