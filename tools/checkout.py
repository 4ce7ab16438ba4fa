"""The commit that is checked out."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def describe_commit() -> str:
    """Its short hash, and whether files differ from it."""
    head = _run_git("rev-parse", "--short", "HEAD")
    return f"{head} and changes" if _run_git("status", "--porcelain", "-uno") else head


def _run_git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
