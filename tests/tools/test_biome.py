"""Scripts and style sheets are checked if Biome can be had, and lint says so if not."""

import subprocess
import sys

import pytest

from tools.biome import __main__ as biome
from tools.services import node


@pytest.mark.parametrize(("required", "status"), [("", 0), ("1", 1)])
def test_lint_without_biome_says_so_and_fails_if_all_checks_are_required(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], required: str, status: int
) -> None:
    def refuse() -> None:
        raise node.Missing("npm could not be used (CalledProcessError)")

    monkeypatch.setattr(biome.PACKAGES, "install", refuse)
    monkeypatch.setattr(sys, "argv", ["biome", "check"])
    monkeypatch.setenv("REQUIRE_ALL_CHECKS", required)
    assert biome.main() == status
    printed = capsys.readouterr().out
    assert "NOT checked: npm could not be used" in printed


def test_biome_runs_with_the_node_that_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def run(command: list[object], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess([], returncode=3)

    monkeypatch.setattr(biome.PACKAGES, "install", lambda: "node")
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["biome", "check"])
    assert biome.main() == 3
    assert commands == [["node", biome.PROGRAM, "check", "--error-on-warnings"]]
