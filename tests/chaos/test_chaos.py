"""The chaos program as a test: nothing is lost, and it would notice a loss."""

import os
import re
import subprocess
import sys

import pytest

from tests.chaos.follower import OTHER_DOORS
from tests.chaos.processes import ROOT
from tests.chaos.protections import BREAKS
from tests.chaos.socket_tab import SocketTab

SEED = os.environ.get("CHAOS_SEED", "10")
"""For the short run: twenty runs with twenty seeds have twenty different orders of faults."""


def run_program(program: str, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
    completed = subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    print(completed.stdout, completed.stderr)
    return completed


@pytest.mark.timeout(200)
def test_a_short_run_breaks_no_promise() -> None:
    completed = run_program("tests.chaos", "--short", "--seed", SEED, timeout=180)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert re.search(r"lost / doubled / reordered +0 / 0 / 0\n", completed.stdout)
    for door in (SocketTab.door, *(tab.door for tab in OTHER_DOORS)):
        assert re.search(rf"^  {door} +0 / 0 / 0 of [1-9]", completed.stdout, re.MULTILINE)


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_five_minutes_of_faults_break_no_promise(server: str) -> None:
    completed = run_program("tests.chaos", "--seconds", "300", "--server", server, timeout=800)
    assert completed.returncode == 0, completed.stdout + completed.stderr


@pytest.mark.prove
@pytest.mark.timeout(400)
@pytest.mark.parametrize("protection", sorted(BREAKS))
def test_a_run_without_one_protection_is_caught(protection: str) -> None:
    completed = run_program("tests.chaos", "--seconds", "60", "--break", protection, timeout=380)
    assert completed.returncode == 1
    found = re.search(r"^broken promises +(\d+)$", completed.stdout, re.MULTILINE)
    assert found, "it failed before it could judge"
    assert int(found[1]) > 0


@pytest.mark.prove
@pytest.mark.timeout(3_600)
def test_ten_thousand_streams_leave_memory_unchanged() -> None:
    completed = run_program("tests.chaos.memory", timeout=3_500)
    assert completed.returncode == 0, completed.stdout + completed.stderr
