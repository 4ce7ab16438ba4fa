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

StoredRun = dict[str, Any]


def build_run(outcome: Outcome, options: Options, seconds: float) -> StoredRun:
    return {
        "date": date.today().isoformat(),
        "commit": describe_commit(),
        "seconds": round(seconds),
        "options": asdict(options),
        "machine": describe_machine(),
        "versions": find_versions(),
        "figures": {k: [round(v, 4) for v in values] for k, values in outcome.figures.items()},
        "lost_doubled_reordered": outcome.wrong,
        "measured": outcome.measured,
    }


def merge_parts(newest: StoredRun, run: StoredRun) -> StoredRun:
    """Return the newest result with the parts of a run that had no others, and when they were
    measured."""
    wrong = zip(newest["lost_doubled_reordered"], run["lost_doubled_reordered"], strict=True)
    moment = f"{run['date']} at {run['commit']}"
    return newest | {
        "figures": newest["figures"] | run["figures"],
        "lost_doubled_reordered": [sum(counts) for counts in wrong],
        "measured": newest["measured"] | run["measured"],
        "measured_later": newest.get("measured_later", {}) | dict.fromkeys(run["measured"], moment),
    }


def write_run(run: Mapping[str, Any]) -> Path:
    """Write the result over an earlier one of the same day."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{run['date']}.json"
    file.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    return file


def read_newest() -> StoredRun:
    """Return the newest stored result."""
    run: StoredRun = json.loads(max(FOLDER.glob("*.json")).read_text())
    return run


def describe_machine() -> dict[str, Any]:
    """Return the type of the machine, without its name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": platform.system(),
    }


def find_versions() -> dict[str, str]:
    versions = {"Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    versions["PostgreSQL"] = _read_output(str(find_binaries() / "postgres"), "--version").split()[2]
    versions["Redis"] = _read_output(str(find_binary()), "--version").partition("v=")[2].split()[0]
    try:
        versions |= {
            f"{name} (npm)": version for name, version in peers.read_versions(*NPM).items()
        }
        versions["Node"] = versions.pop("node (npm)")
    except node.Missing:
        pass
    return versions


def _read_output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
