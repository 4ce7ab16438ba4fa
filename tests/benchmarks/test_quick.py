"""The benchmark as a program, in `make prove`: its short form, and its figures."""

import subprocess
import sys

import pytest

from tools.services.helper_process import ROOT


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


@pytest.mark.prove
def test_the_short_form_loses_doubles_and_reorders_no_token() -> None:
    done = bench("--quick", within=80)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tokens lost, doubled or reordered" in done.stdout


@pytest.mark.prove
@pytest.mark.timeout(1_200)
def test_every_must_is_met() -> None:
    done = bench(within=1_100)
    assert done.returncode == 0, done.stdout + done.stderr
