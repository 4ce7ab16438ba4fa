"""The suite of the Durable Streams protocol, from npm, with Node and packages of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tools.services import node
from tools.services.node import Packages
from tools.services.program import scratch_folder

PACKAGES = Packages(node.ROOT / "tests" / "clients" / "durable_streams")
RUN_SECONDS = 900
CASE_SECONDS = 40
"""Two cases wait until a request ends that waits for news; the server lets it wait 20 s."""


@dataclass(frozen=True, slots=True)
class SuiteReport:
    """The names of the cases. `messages` says why cases failed."""

    passed: list[str]
    failed: list[str]
    messages: str


def run_suite(url: str, token: str, names: str = "") -> SuiteReport:
    """Run the cases whose names match a pattern against a server. Raises node.Missing."""
    executable = PACKAGES.install()
    folder = PACKAGES.copy_programs()
    report = scratch_folder("durable-streams") / "report.json"
    vitest = PACKAGES.get_module_path("vitest", "vitest.mjs")
    result = subprocess.run(
        [
            *(str(executable), str(vitest), "run", "suite.test.mjs"),
            *("--reporter=json", f"--outputFile={report}", f"--testTimeout={CASE_SECONDS}000"),
            *(("-t", names) if names else ()),
        ],
        cwd=folder,
        env=node.environment() | {"SUITE_URL": url, "SUITE_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    if not report.exists():
        raise AssertionError(result.stdout + result.stderr)
    return _read_report(json.loads(report.read_text()))


@contextmanager
def follow_with_client(address: str, token: str, mode: str) -> Iterator[Iterator[str]]:
    """The pieces of text that the protocol's own client reads, until the stream is closed. Raises
    node.Missing."""
    executable = PACKAGES.install()
    with subprocess.Popen(
        [str(executable), "follow.mjs"],
        cwd=PACKAGES.copy_programs(),
        env=node.environment() | {"ADDRESS": address, "TOKEN": token, "MODE": mode},
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            assert program.stdout
            yield (json.loads(line) for line in program.stdout)
            assert program.wait() == 0
        finally:
            program.kill()


def _read_report(report: dict[str, Any]) -> SuiteReport:
    cases = [case for file in report["testResults"] for case in file["assertionResults"]]
    failed = [case for case in cases if case["status"] == "failed"]
    return SuiteReport(
        [case["fullName"] for case in cases if case["status"] == "passed"],
        [case["fullName"] for case in failed],
        "\n\n".join(
            f"{case['fullName']}\n{message}"
            for case in failed
            for message in case["failureMessages"]
        ),
    )
