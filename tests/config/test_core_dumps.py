"""A crash of a process writes no memory with keys and texts into a file."""

import sys
from pathlib import Path

import pytest

from tools.deployment.deployment import Deployment, bare_environment, manage

resource = pytest.importorskip("resource")
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the limits of a process in /proc")


@ON_LINUX
def test_a_web_process_dumps_no_core(https_deployment: Deployment) -> None:
    limits = Path(f"/proc/{https_deployment.web.pid}/limits").read_text()
    [line] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"]


def test_commands_and_workers_dump_no_core() -> None:
    code = "import resource; print('limits', resource.getrlimit(resource.RLIMIT_CORE))"
    output = manage(bare_environment("sqlite:///:memory:"), "shell", "-v", "0", "-c", code)
    assert "limits (0, 0)" in output
