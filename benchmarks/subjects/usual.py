"""The usual Django way on Daphne, and the original sketch in the same app."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Self

from benchmarks.client.wires import Spec
from benchmarks.goals import SKETCH, USUAL
from benchmarks.subjects.subject import Plan
from tools.deployment.deployment import ROOT
from tools.services import Program, free_port, postgres, redis
from tools.services.helper_process import Child
from tools.services.program import is_listening, scratch_folder


class Usual:
    """One Daphne and one worker, PostgreSQL with its durable settings, and Redis."""

    def __init__(self, full_text: bool = False) -> None:
        self.name = SKETCH if full_text else USUAL
        self._full_text = full_text
        self._exit_stack = ExitStack()

    def __enter__(self) -> Self:
        self._postgres = self._exit_stack.enter_context(postgres())
        self._redis = self._exit_stack.enter_context(redis())
        folder = scratch_folder("usual")
        self._exit_stack.callback(shutil.rmtree, folder, ignore_errors=True)
        environment = {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "benchmarks.usual.settings",
            "DATABASE_URL": self._postgres.url,
            "REDIS_URL": self._redis.url,
        }
        options: dict[str, Any] = {"environment": environment, "cwd": ROOT}
        migrate = [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity", "0"]
        subprocess.run(migrate, check=True, cwd=ROOT, env=environment)
        self._port = port = free_port()
        command = [sys.executable, "-m", "daphne", "--bind", "127.0.0.1", "--port", str(port)]
        self._web = Program(
            "web",
            [*command, "--verbosity", "0", "benchmarks.usual.asgi:application"],
            log=folder / "web",
            ready=lambda: is_listening(port),
            **options,
        )
        self._exit_stack.callback(self._web.kill)
        self._web.start()
        worker = [sys.executable, "-m", "benchmarks.usual", *(["full"] * self._full_text)]
        self._worker = self._exit_stack.enter_context(
            Child("worker", *worker, environment=environment)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._exit_stack.close()

    @property
    def processes(self) -> dict[str, int]:
        return {
            "web": self._web.pid,
            "worker": self._worker.pid,
            "redis": self._redis.pid,
            "postgres": self._postgres.pid,
        }

    def start_streams(self, plan: Plan) -> Sequence[Spec]:
        streams = [
            {"start": start, "rate": plan.rate, "count": plan.count}
            for start in plan.list_start_times()
        ]
        return [
            self._build_spec(pk) for pk in self._worker.run_order(do="streams", streams=streams)
        ]

    def wait_until_idle(self) -> None:
        self._worker.run_order(do="stop")

    def create_replayable(self, tokens: int, streams: int) -> Sequence[Spec]:
        return [
            self._build_spec(self._worker.run_order(do="create_stored_reply", tokens=tokens))
            for _ in range(streams)
        ]

    def _build_spec(self, message: int) -> Spec:
        path = f"/ws/{message}/"
        return {"wire": "usual", "host": "127.0.0.1", "port": self._port, "path": path}
