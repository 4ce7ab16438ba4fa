"""The chaos program as a test: nothing is lost, and it would notice if something were."""

import os
import re
import subprocess
import sys

import pytest

from tests.chaos.processes import ROOT
from tests.chaos.sabotage import BREAKS

SEED = os.environ.get("CHAOS_SEED", "10")
"""Of the short run: twenty runs with twenty seeds are twenty different orders of the worst."""


def chaos(program: str, *arguments: str, within: float) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done


@pytest.mark.timeout(200)
def test_a_short_run_breaks_no_promise() -> None:
    done = chaos("tests.chaos", "--short", "--seed", SEED, within=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"lost / doubled / reordered +0 / 0 / 0\n", done.stdout)


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_five_minutes_of_the_worst_break_no_promise(server: str) -> None:
    done = chaos("tests.chaos", "--seconds", "300", "--server", server, within=800)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prove
@pytest.mark.timeout(400)
@pytest.mark.parametrize("protection", sorted(BREAKS))
def test_a_run_without_one_protection_is_caught(protection: str) -> None:
    done = chaos("tests.chaos", "--seconds", "60", "--break", protection, within=380)
    assert done.returncode == 1
    found = re.search(r"^broken promises +(\d+)$", done.stdout, re.MULTILINE)
    assert found, "it failed before it could judge"
    assert int(found[1]) > 0


@pytest.mark.prove
@pytest.mark.timeout(3_600)
def test_ten_thousand_streams_leave_memory_as_it_was() -> None:
    done = chaos("tests.chaos.memory", within=3_500)
    assert done.returncode == 0, done.stdout + done.stderr
