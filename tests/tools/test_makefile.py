"""The help that `make` prints."""

import os
import re
import subprocess

from tools.configuration import ROOT


def run_make(*arguments: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},  # without the flags of a make that runs these tests
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_help_lists_every_described_target() -> None:
    described = re.findall(r"^([a-z-]+):.* ## (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"run", "test", "lint"} <= {target for target, _ in described}
    lines = [line.split(None, 2) for line in run_make("help").splitlines()]
    assert lines == [["make", target, text] for target, text in described]


def test_make_alone_starts_holdfast() -> None:
    assert run_make("--dry-run") == run_make("--dry-run", "run")
