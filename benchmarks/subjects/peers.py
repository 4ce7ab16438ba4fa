"""What the subjects on Node share: their packages, and how their programs are run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.services import node
from tools.services.helper_process import Child
from tools.services.node import Packages

PACKAGES = Packages(Path(__file__).resolve().parents[1] / "peers")


def program(name: str, *arguments: str, **environment: str) -> Child:
    """One of our programs for a peer, running. Raises `node.Missing`."""
    executable = PACKAGES.install()
    file = PACKAGES.programs() / f"{name}.mjs"
    here = {**node.environment(), "NODE_ENV": "production", **environment}
    return Child(name, str(executable), str(file), *arguments, environment=here)


def versions(*packages: str) -> dict[str, Any]:
    """Of Node and of these packages, as they are installed."""
    said = {"node": node.version(PACKAGES.install())}
    for package in packages:
        described = PACKAGES.module(*package.split("/"), "package.json")
        said[package] = json.loads(described.read_text())["version"]
    return said
