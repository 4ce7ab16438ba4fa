"""The engine in a project that is not ours: the one in streaming/README.md, made of its own code,
with the engine installed from a wheel. Its worker is killed, and every line is read once."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from websockets.sync.client import ClientConnection, connect

from streaming.conf import list_settings
from tests.streaming.event_client import request_events
from tools.services import free_port

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "streaming" / "README.md"
BLOCK = re.compile(r"```python\n# ([\w/]+\.py)[^\n]*\n(.*?)```", re.DOTALL)
LINES = [f"{number}: the tide comes in, and goes out again\n" for number in range(120)]
STARTED_SECONDS, TAKEN_OVER_SECONDS = 30.0, 45.0


class Project:
    """A folder with a Django project and the engine, and no way to the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs: list[subprocess.Popen[str]] = []
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "DJANGO", "DATABASE", "REDIS"))
        } | {"PYTHONPATH": str(folder / "packages"), "PYTHONSAFEPATH": ""}

    def install_engine(self) -> None:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        offline = ["--no-index", "--no-deps"]
        wheels = self.folder / "wheels"
        build = ["wheel", *offline, "--no-build-isolation", "--wheel-dir", str(wheels)]
        subprocess.run([*pip, *build, str(ROOT / "streaming")], check=True, cwd=self.folder)
        [wheel] = wheels.iterdir()
        target = ["--target", str(self.folder / "packages")]
        subprocess.run([*pip, "install", *offline, *target, str(wheel)], check=True)

    def write_files(self) -> None:
        self.run("-m", "django", "startproject", "project", ".")
        for name, code in BLOCK.findall(README.read_text()):
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            before = file.read_text() if name == "project/settings.py" else ""
            file.write_text(before + code)
        (self.folder / "tides.log").write_text("".join(LINES))

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.programs.append(program)
        return program

    def start_worker(self) -> subprocess.Popen[str]:
        worker = self.start("manage.py", "stream_worker")
        assert output_of(worker).readline() == "Worker ready\n"
        return worker

    def end(self) -> None:
        for program in self.programs:
            program.kill()
            program.wait()
            output_of(program).close()


def output_of(program: subprocess.Popen[str]) -> IO[str]:
    assert program.stdout is not None
    return program.stdout


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    project.install_engine()
    project.write_files()
    yield project
    project.end()


def test_a_project_made_of_the_readme_reads_every_line_once_though_its_worker_is_killed(
    project: Project,
) -> None:
    found = project.run("-c", "import streaming; print(streaming.__file__)").strip()
    assert found == str(project.folder / "packages" / "streaming" / "__init__.py")
    packages = project.folder / "packages"
    assert not (packages / "streaming" / "providers").exists()
    assert (packages / "streaming" / "py.typed").exists()
    [licence] = packages.glob("holdfast_streaming-*.dist-info/licenses/LICENSE")
    assert licence.read_text() == (ROOT / "LICENSE").read_text()
    assert "no issues" in project.run("manage.py", "check", "--fail-level", "WARNING")
    project.run("manage.py", "makemigrations", "--check", "--dry-run")
    project.run("manage.py", "migrate", "--verbosity", "0")
    worker = project.start_worker()
    reader = project.start("manage.py", "read_log", "tides.log")
    read = [output_of(reader).readline() for _ in range(20)]
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    killed = time.monotonic()
    project.start_worker()
    read += output_of(reader).readlines()
    assert read == LINES
    assert reader.wait(STARTED_SECONDS) == 0
    assert time.monotonic() - killed < TAKEN_OVER_SECONDS
    assert read_from_doors(project) == "".join(LINES)


SIGN_IN = """
from django.contrib.auth.models import User
from django.test import Client
from streaming.models import Stream
client = Client()
client.force_login(User.objects.get(username="reader"))
print(client.session.session_key, Stream.objects.get().uuid)
"""


def read_from_doors(project: Project) -> str:
    """The text of the only stream, as a browser of its owner gets it through each door."""
    session, stream = project.run("manage.py", "shell", "--no-imports", "-c", SIGN_IN).split()
    port = free_port()
    arguments = ("-m", "uvicorn", "project.asgi:application", "--port", str(port))
    project.start(*arguments, "--log-level", "warning")
    headers = {"Cookie": f"sessionid={session}", "Origin": f"http://127.0.0.1:{port}"}
    with open_socket(f"ws://127.0.0.1:{port}/ws/", headers) as socket:
        assert json.loads(socket.recv(STARTED_SECONDS)) == {
            "type": "hello",
            "version": 1,
            "revision": 0,
        }
        socket.send(json.dumps({"type": "follow", "stream": stream}))
        text = ""
        while (frame := json.loads(socket.recv(STARTED_SECONDS)))["type"] != "end":
            text += frame.get("delta", "")
    with request_events(port, f"/api/streams/{stream}/events", session) as response:
        events = response.read_until("end")
    assert "".join(event.get("delta", "") for event in events) == text
    return text


def open_socket(url: str, headers: dict[str, str]) -> ClientConnection:
    """Once the server answers."""
    deadline = time.monotonic() + STARTED_SECONDS
    while True:
        try:
            return connect(url, additional_headers=headers, open_timeout=STARTED_SECONDS)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.1)


def test_the_readme_has_every_setting_with_its_default() -> None:
    rows = [f"| `{s.name}` | `{s.default!r}` | {s.__doc__} |" for s in list_settings()]
    assert [line for line in README.read_text().splitlines() if line.startswith("| `")] == rows
