"""No test of a live page passes by itself."""

import subprocess
import sys

import pytest


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_every_test_of_a_live_page_fails_when_the_live_modules_are_empty() -> None:
    emptied = [
        "-p",
        "tests.js.without_modules",
        "tests/js",
        "tests/e2e",
        "--tb=no",
        "-p",
        "no:cacheprovider",
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *emptied],
        capture_output=True,
        text=True,
        check=False,
    )
    print(ran.stdout.rstrip().rsplit("\n\n", 1)[-1])
    assert "noticed that nothing is live" in ran.stdout
    assert ran.returncode == 0, ran.stdout
