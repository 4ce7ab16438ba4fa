"""Schemathesis makes requests of every kind from an OpenAPI document, and checks the answers."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.services.program import scratch_folder
from tools.services.python_environment import ROOT, PythonEnvironment

ENVIRONMENT = PythonEnvironment("schemathesis", ROOT / "tests" / "clients" / "schemathesis.lock")
ENDLESS = "/api/streams/events"
"""This address stays open after its last stream has ended."""
CONFIG = """
[checks.positive_data_acceptance]
# 422 also means that a value that fits the document does not fit what is there, such as a model.
expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429]

[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx"]
"""


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of a run. `answers` has each answer's status and text."""

    succeeded: bool
    request_count: int
    output: str
    answers: list[tuple[int, str]]


def run_schemathesis(
    url: str,
    headers: Mapping[str, str],
    ids: Mapping[str, str],
    *,
    phases: str,
    examples: int,
    seed: int,
    deletes: bool = True,
) -> Report:
    """Send requests to every operation whose answer ends. `ids` has the id that requests name, for
    each start of a path; without `deletes`, requests to delete name others."""
    folder = scratch_folder("schemathesis")
    (folder / "schemathesis.toml").write_text(CONFIG + _list_ids(ids, deletes))
    har = folder / "requests.har"
    options = [option for pair in headers.items() for option in ("-H", ": ".join(pair))]
    result = subprocess.run(
        [
            *(str(ENVIRONMENT.get_program_path("schemathesis")), "--config-file"),
            *(str(folder / "schemathesis.toml"), "run", f"{url}/api/openapi.json", *options),
            *(
                "--phases",
                phases,
                "--checks",
                "all",
                "--max-examples",
                str(examples),
                "--seed",
                str(seed),
            ),
            *("--exclude-path", ENDLESS),
            *("--report-har-path", str(har), "--no-color", "--continue-on-failure"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    counts = re.findall(r"^ *(\d+) generated", result.stdout, re.MULTILINE)
    output = result.stdout + result.stderr
    return Report(result.returncode == 0, int((counts or ["0"])[0]), output, _read_answers(har))


def _list_ids(ids: Mapping[str, str], deletes: bool) -> str:
    excluded = "" if deletes else 'exclude-method = "DELETE"\n'
    return "".join(
        f'[[operations]]\ninclude-path-regex = "^{path}/[{{]id"\n{excluded}'
        f'parameters = {{ id = "{id}" }}\n'
        for path, id in ids.items()
    )


def _read_answers(har: Path) -> list[tuple[int, str]]:
    if not har.exists():
        return []
    entries: list[Any] = json.loads(har.read_text())["log"]["entries"]
    return [
        (entry["response"]["status"], entry["response"]["content"].get("text", ""))
        for entry in entries
    ]
