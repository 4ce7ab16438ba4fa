"""The attack program: its criteria of failure, and that every attack happens."""

import re
import subprocess
import sys
from dataclasses import replace
from inspect import iscoroutinefunction

import pytest

from tests.chaos.attack_modes import (
    MIXES,
    MODES,
    MORE,
    accounts,
    chats,
    connections,
    findings,
    sockets,
)
from tests.chaos.attack_result import (
    MAX_GROWTH_BYTES,
    AttackResult,
    ResourceUsage,
    format_results,
)
from tests.chaos.honest import Measurements, compute_p95
from tests.chaos.processes import ROOT

HELD = AttackResult(
    mode="H1",
    shape="own",
    quiet=Measurements([0.1] * 60, [0.2] * 20),
    attacked=Measurements([0.9] * 60, [3.1] * 20),
    before=ResourceUsage(tables=10, files=10, memory={"web": 10}),
    after=ResourceUsage(MAX_GROWTH_BYTES, 10, {"web": MAX_GROWTH_BYTES}),
)


def test_nineteen_of_twenty_values_do_not_exceed_the_p95() -> None:
    assert compute_p95(range(1, 21)) == 19
    assert compute_p95(range(1, 61)) == 57
    assert compute_p95([5]) == 5
    assert compute_p95([]) == float("inf"), "no measurement proves nothing"


def test_an_attack_that_the_honest_person_does_not_notice_passes() -> None:
    assert [*HELD.find_failures()] == []
    assert format_results([HELD]).endswith("held")


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (replace(HELD, attacked=Measurements([0.9] * 56 + [1.2] * 4, [0.2])), "p95 of pages"),
        (replace(HELD, attacked=Measurements([0.9], [0.2] * 18 + [3.3] * 2)), "p95 of tokens"),
        (
            replace(HELD, attacked=Measurements([0.9], [0.2], [1.0], ["/ answered 503"])),
            "/ answered",
        ),
        (
            replace(HELD, after=ResourceUsage(MAX_GROWTH_BYTES, MAX_GROWTH_BYTES, {"web": 10})),
            "tables, files and logs grew",
        ),
        (replace(HELD, after=ResourceUsage(0, 0, {"web": MAX_GROWTH_BYTES + 11})), "memory grew"),
        (replace(HELD, losses=["another address"]), "another address"),
    ],
)
def test_an_attack_that_the_honest_person_notices_fails(result: AttackResult, line: str) -> None:
    [failure] = result.find_failures()
    assert line in failure
    assert format_results([result]).endswith("failed")


def test_every_action_of_an_attack_belongs_to_a_mode() -> None:
    modules = (accounts, chats, connections, findings, sockets)
    actions = {
        action
        for module in modules
        for name, action in vars(module).items()
        if iscoroutinefunction(action) and not name.startswith("_")
    }
    assert actions == {action for parts in MODES.values() for action, _, _ in parts}
    assert {mode for mix in MIXES.values() for mode in mix} == {*MODES}
    assert len(MORE) >= 20


@pytest.mark.prove
@pytest.mark.timeout(400)
def test_a_mixed_run_makes_every_attack_and_ends_by_itself() -> None:
    command = [sys.executable, "-m", "tests.chaos.attack", "--mode", "mixed", "--shape", "own"]
    done = subprocess.run(
        [*command, "--seconds", "15", "--settle", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    print(done.stdout, done.stderr)
    assert re.search(r"^mixed +own .*(held|failed)$", done.stdout, re.MULTILINE), done.stderr
    for act in (
        *("view a nasty reply", "poisoned handshake", "poisoned page", "big draft", "small draft"),
        *("queue a reply", "guess a password", "take the account", "sign up", "big frame"),
        *("idle socket", "big body"),
    ):
        assert re.search(rf"^ +[\d,]+  {act}", done.stdout, re.MULTILINE), act
