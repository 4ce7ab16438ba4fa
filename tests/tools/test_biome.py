"""Scripts and style sheets are checked if Biome can be had, and lint says so if not."""

import subprocess
import sys

import pytest

from tools.biome import __main__ as biome
from tools.services import node


def test_lint_says_what_it_leaves_out_without_biome(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise node.Missing("npm could not be used (CalledProcessError)")

    monkeypatch.setattr(biome.PACKAGES, "install", refuse)
    monkeypatch.setattr(sys, "argv", ["biome", "check"])
    assert biome.main() == 0
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
