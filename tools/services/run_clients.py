"""Stock clients of the doors for runs: LangGraph's SDKs and AG-UI's HttpAgent, each with a program
of ours around it that reports what it gets, a line of JSON each."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from tools.services import node
from tools.services.client_program import WAIT_SECONDS, ClientProgram
from tools.services.python_environment import ROOT, PythonEnvironment

Kind = Literal["langgraph-python", "langgraph-js", "ag-ui"]
KINDS: tuple[Kind, ...] = ("langgraph-python", "langgraph-js", "ag-ui")
FOLDER = ROOT / "tests" / "clients" / "run-clients"
PACKAGES = node.Packages(FOLDER)
ENVIRONMENT = PythonEnvironment("langgraph", ROOT / "tests" / "clients" / "langgraph.lock")


def install() -> None:
    """Raises python_environment.Missing or node.Missing."""
    ENVIRONMENT.install()
    PACKAGES.install()


class RunClient(ClientProgram):
    kind: Kind

    def __init__(self, kind: Kind, task: Mapping[str, Any]) -> None:
        super().__init__(kind, _build_command(kind), task)


def _build_command(kind: Kind) -> list[str]:
    if kind == "langgraph-python":
        python = ENVIRONMENT.get_program_path("python")
        return [str(python), str(FOLDER / "langgraph_program.py")]
    name = {"langgraph-js": "langgraph.mjs", "ag-ui": "ag_ui.mjs"}[kind]
    return [str(PACKAGES.install()), str(PACKAGES.copy_programs() / name)]


def run_program(suffix: str, code: str, folder: Path) -> str:
    """Run a program of a document beside the clients, and return its output."""
    if suffix == "python":
        file, program = folder / "program.py", ENVIRONMENT.get_program_path("python")
    else:
        file, program = PACKAGES.copy_programs() / "document.mjs", PACKAGES.install()
    file.write_text(code)
    done = subprocess.run(
        [str(program), str(file)],
        capture_output=True,
        env=node.environment(),
        timeout=WAIT_SECONDS,
        check=True,
    )
    return done.stdout.decode()
