"""Stock clients of the gateway, each with a program of ours around it that reports what it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tools.services import node
from tools.services.client_program import ClientProgram
from tools.services.python_environment import ROOT, PythonEnvironment

Kind = Literal["openai-js", "openai-js-helper", "pydantic-ai", "langchain", "agents", "ai-sdk"]
PROGRAMS: dict[Kind, str] = {
    "openai-js": "openai.mjs",
    "openai-js-helper": "openai.mjs",
    "pydantic-ai": "pydantic_ai_program.py",
    "langchain": "langchain_program.py",
    "agents": "agents_program.py",
    "ai-sdk": "ai_sdk.mjs",
}
KINDS: tuple[Kind, ...] = tuple(PROGRAMS)
FOLDER = ROOT / "tests" / "clients" / "gateway-clients"
PACKAGES = node.Packages(FOLDER)
ENVIRONMENT = PythonEnvironment("gateway-clients", FOLDER.with_suffix(".lock"))


def install() -> None:
    """Raises python_environment.Missing or node.Missing."""
    ENVIRONMENT.install()
    PACKAGES.install()


class GatewayClient(ClientProgram):
    kind: Kind

    def __init__(self, kind: Kind, task: Mapping[str, Any]) -> None:
        super().__init__(kind, _build_command(kind), {**task, "kind": kind})


def _build_command(kind: Kind) -> list[str]:
    program = PROGRAMS[kind]
    if program.endswith(".py"):
        return [str(ENVIRONMENT.get_program_path("python")), str(FOLDER / program)]
    return [str(PACKAGES.install()), str(PACKAGES.copy_programs() / program)]
