"""The attack program: what it counts as a failure, and that all of it attacks."""

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.chaos.attack import GROWTH_BYTES, Result, Size, table
from tests.chaos.honest import Figures, p95
from tests.chaos.processes import ROOT

HELD = Result(
    mode="H1",
    shape="own",
    quiet=Figures([0.1] * 60, [0.2] * 20),
    attacked=Figures([0.9] * 60, [3.1] * 20),
    before=Size(tables=10, files=10, memory={"web": 10}),
    after=Size(GROWTH_BYTES, 10, {"web": GROWTH_BYTES}),
)


def test_the_p95_is_what_nineteen_of_twenty_do_not_exceed() -> None:
    assert p95(range(1, 21)) == 19
    assert p95(range(1, 61)) == 57
    assert p95([5]) == 5
    assert p95([]) == float("inf"), "who measured nothing has shown nothing"


def test_what_the_honest_person_does_not_notice_is_held() -> None:
    assert [*HELD.failures()] == []
    assert table([HELD]).endswith("held")


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (replace(HELD, attacked=Figures([0.9] * 56 + [1.2] * 4, [0.2])), "p95 of pages"),
        (replace(HELD, attacked=Figures([0.9], [0.2] * 18 + [3.3] * 2)), "p95 of tokens"),
        (replace(HELD, attacked=Figures([0.9], [0.2], [1.0], ["/ answered 503"])), "/ answered"),
        (
            replace(HELD, after=Size(GROWTH_BYTES, GROWTH_BYTES, {"web": 10})),
            "tables, files and logs grew",
        ),
        (replace(HELD, after=Size(0, 0, {"web": GROWTH_BYTES + 11})), "memory grew"),
        (replace(HELD, taken=["another address"]), "another address"),
    ],
)
def test_what_the_honest_person_notices_fails(result: Result, line: str) -> None:
    [failure] = result.failures()
    assert line in failure
    assert table([result]).endswith("failed")


@pytest.mark.prove
@pytest.mark.timeout(400)
def test_every_finding_is_attacked_in_a_mixed_run_that_ends_by_itself() -> None:
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
