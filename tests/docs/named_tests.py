"""How the tests are run that pages name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def collect_ways(proofs: Iterable[str]) -> dict[str, set[str]]:
    """How the variants of each test in the files of these proofs are run, by name. A process of its
    own collects them, because this one has only the tests that it runs."""
    paths = {f"tests/{proof.partition('::')[0]}" for proof in proofs if "/test_" in proof}
    command = [sys.executable, "-m", "tests.docs.collected", *sorted(paths)]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name: set(ways) for name, ways in json.loads(printed.splitlines()[-1]).items()}
