"""The stock clients of the AI SDK, a line each, in environments of their own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tools.services import node
from tools.services.helper_process import Child
from tools.services.node import Packages

CLIENTS = node.ROOT / "tests" / "clients"
PROGRAM = CLIENTS / "ai_sdk.mjs"
EXAMPLE = Packages(node.ROOT / "examples" / "ai-sdk")
PACKAGES = {6: Packages(CLIENTS / "ai-sdk-6"), 7: Packages(CLIENTS / "ai-sdk-7")}


def install() -> None:
    """Fetch the missing packages of both lines, and of the example. Raises node.Missing."""
    for packages in (*PACKAGES.values(), EXAMPLE):
        packages.install()


def start_client(line: int) -> StockClient:
    """Start a process with the AI SDK of this line. Raises node.Missing."""
    packages = PACKAGES[line]
    executable = packages.install()
    program = shutil.copy(PROGRAM, packages.folder)
    return StockClient(executable, Path(program))


class StockClient(Child):
    """A process with chats of the AI SDK. It ends with its `with` block."""

    def __init__(self, executable: Path, program: Path) -> None:
        command = (str(executable), str(program))
        super().__init__("the AI SDK", *command, environment=node.environment())

    def run(self, order: str, name: str, **fields: Any) -> dict[str, Any]:
        """Carry out an order for a chat, and return the state of the chat afterwards."""
        state: dict[str, Any] = self.run_order(order=order, name=name, **fields)
        return state
