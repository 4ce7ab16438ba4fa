"""llm-comply sends requests of every kind to a server that speaks an API of OpenAI's, and checks
the answers against the published schema."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Literal

from tools.services.program import scratch_folder
from tools.services.python_environment import ROOT, PythonEnvironment

ENVIRONMENT = PythonEnvironment("llm-comply", ROOT / "tests" / "clients" / "llm-comply.lock")
RUN_SECONDS = 300

Suite = Literal["open-responses", "openai-chat"]


@dataclass(frozen=True, slots=True)
class Findings:
    """The ids of the tests of a suite by their status, and the errors of those that failed."""

    passed: tuple[str, ...]
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    errors: tuple[str, ...]


def run_llm_comply(url: str, token: str, model: str, suite: Suite) -> Findings:
    program = str(ENVIRONMENT.get_program_path("llm-comply"))
    address = ["--base-url", f"{url}/v1", "--api-key", token, "--model", model]
    result = subprocess.run(
        [program, *address, "--format", suite, "--json"],
        cwd=scratch_folder("llm-comply"),
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS,
    )
    assert result.stdout.startswith("{"), result.stdout + result.stderr
    results = json.loads(result.stdout)["results"]

    def select(status: str) -> tuple[str, ...]:
        return tuple(one["id"] for one in results if one["status"] == status)

    errors = [f"{one['id']}: {error}" for one in results for error in one.get("errors", ())]
    return Findings(select("passed"), select("failed"), select("skipped"), tuple(errors))
