"""How the tests are run that pages name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.docs import doors_table

ROOT = Path(__file__).resolve().parents[2]
SECURITY_PAGES = [
    ROOT / "SECURITY.md",
    ROOT / "docs" / "security.md",
    *sorted((ROOT / "docs" / "security").glob("*.md")),
]


def list_proofs(text: str) -> list[str]:
    """Tests and lines of the code, such as `accounts/test_keys.py::test_a_key_is_added`."""
    return re.findall(r"`([\w/]+\.py(?:::\w+)?)`", text)


@cache
def collect_named_tests() -> dict[str, set[str]]:
    """How the variants of each test in the named files are run, by name. One process of its own
    collects them, because this one has only the tests that it runs."""
    paths = {f"tests/{proof.partition('::')[0]}" for proof in _list_all_proofs()}
    command = [sys.executable, "-m", "tests.docs.collected", *sorted(paths)]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name: set(ways) for name, ways in json.loads(printed.splitlines()[-1]).items()}


def _list_all_proofs() -> Iterator[str]:
    yield from doors_table.list_proofs()
    for page in SECURITY_PAGES:
        yield from (proof for proof in list_proofs(page.read_text()) if "/test_" in proof)
