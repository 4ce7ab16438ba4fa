"""The benchmark as a program: its short form in every run, its figures in `make prove`."""

import subprocess
import sys

import pytest

from tests.services.child import ROOT


def bench(*arguments: str, within: float) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done


def test_the_short_form_loses_doubles_and_reorders_no_token() -> None:
    done = bench("--quick", within=80)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tokens lost, doubled or reordered" in done.stdout


@pytest.mark.prove
@pytest.mark.timeout(1_200)
def test_every_must_is_met() -> None:
    done = bench(within=1_100)
    assert done.returncode == 0, done.stdout + done.stderr
