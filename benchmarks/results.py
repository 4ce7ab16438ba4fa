"""The stored result of a run: its figures, all measurements, and the machine and versions."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from benchmarks.outcome import Options, Outcome
from benchmarks.subjects import peers
from tools.checkout import describe_commit
from tools.services import node
from tools.services.postgresql import find_binaries
from tools.services.redis_server import find_binary

FOLDER = Path(__file__).resolve().parent / "results"
LIBRARIES = (
    "django",
    "channels",
    "channels-redis",
    "daphne",
    "uvicorn",
    "uvloop",
    "psycopg",
    "redis",
    "hiredis",
    "openai",
)
NPM = ("resumable-stream", "redis", "@durable-streams/server")

Kept = dict[str, Any]


def kept(outcome: Outcome, options: Options, seconds: float) -> Kept:
    return {
        "date": date.today().isoformat(),
        "commit": describe_commit(),
        "seconds": round(seconds),
        "options": asdict(options),
        "machine": machine(),
        "versions": versions(),
        "figures": {k: [round(v, 4) for v in values] for k, values in outcome.figures.items()},
        "lost_doubled_reordered": outcome.wrong,
        "measured": outcome.measured,
    }


def write(run: Mapping[str, Any]) -> Path:
    """Store the result, in place of an earlier one of the same day."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{run['date']}.json"
    file.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    return file


def newest() -> Kept:
    """Return the newest stored result."""
    found: Kept = json.loads(max(FOLDER.glob("*.json")).read_text())
    return found


def machine() -> dict[str, Any]:
    """Return the type of the machine, without its name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": platform.system(),
    }


def versions() -> dict[str, str]:
    found = {"Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    found["PostgreSQL"] = _said(str(find_binaries() / "postgres"), "--version").split()[2]
    found["Redis"] = _said(str(find_binary()), "--version").partition("v=")[2].split()[0]
    try:
        found |= {f"{name} (npm)": version for name, version in peers.versions(*NPM).items()}
        found["Node"] = found.pop("node (npm)")
    except node.Missing:
        pass
    return found


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
