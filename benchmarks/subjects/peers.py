"""The common parts of the subjects on Node: their packages, and starting their programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.services import node
from tools.services.helper_process import Child
from tools.services.node import Packages

PACKAGES = Packages(Path(__file__).resolve().parents[1] / "peers")


def start_program(name: str, *arguments: str, **environment: str) -> Child:
    """Run one of our programs for a peer. Raises `node.Missing`."""
    executable = PACKAGES.install()
    file = PACKAGES.copy_programs() / f"{name}.mjs"
    node_environment = {**node.environment(), "NODE_ENV": "production", **environment}
    return Child(name, str(executable), str(file), *arguments, environment=node_environment)


def read_versions(*packages: str) -> dict[str, Any]:
    """Return the versions of Node and of these packages, as installed."""
    versions = {"node": node.read_version(PACKAGES.install())}
    for package in packages:
        described = PACKAGES.get_module_path(*package.split("/"), "package.json")
        versions[package] = json.loads(described.read_text())["version"]
    return versions
