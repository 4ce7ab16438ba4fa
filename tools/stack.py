"""`make stack`: the production shape on this machine, with a database and a Redis of its own.

Two web processes, two workers, PostgreSQL and Redis. A process that dies is restarted a second
later, as by a service manager. Everything is removed at the end: the stack is for experiments.

    with Stack(environment={"OPENAI_BASE_URL": fake.openai}) as stack:
        stack.workers[0].kill()  # the supervisor restarts it
"""

import argparse
import signal
import threading
import time
from collections.abc import Callable, Mapping

from tools.deployment.deployment import Deployment, Server
from tools.services import Postgres, Program, postgres

RESTART_DELAY_SECONDS = 1.0  # between a death and the next start
POLL_SECONDS = 0.1

Report = Callable[[str], None]


class Stack(Deployment):
    """A deployment with a supervisor, which does not supervise `postgres` and `redis`."""

    postgres: Postgres

    def __init__(
        self,
        *,
        server: Server = "daphne",
        webs: int = 2,
        workers: int = 2,
        environment: Mapping[str, str] | None = None,
        report: Report = print,
    ) -> None:
        super().__init__(
            "stack", server=server, webs=webs, workers=workers, environment=environment
        )
        self._report = report
        self._closing = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor")

    def start(self) -> None:
        self.postgres = self._database_server = self._open.enter_context(postgres())
        super().start()
        self._supervisor.start()

    def close(self) -> None:
        """End everything at once: nothing is stored, so nothing has to finish."""
        self._closing.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        if self._database_server and not self.postgres.running:
            self.postgres.start()
        super().close()

    def _supervise(self) -> None:
        restart_times: dict[Program, float] = {}
        while not self._closing.wait(POLL_SECONDS):
            for program in self.programs:
                if program.running:
                    continue
                if program not in restart_times:
                    self._report(f"{program.name} ended with {program.returncode}; restarting it")
                    restart_times[program] = time.monotonic() + RESTART_DELAY_SECONDS
                elif time.monotonic() >= restart_times[program]:
                    del restart_times[program]
                    program.stop()  # it has ended already: this only cleans up after it
                    program.start(wait=False)


def main() -> None:
    """Start it, print its address, and end it on Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tools.stack", description=__doc__)
    parser.add_argument("--server", choices=["daphne", "uvicorn"], default="daphne")
    stop = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop.set())
    with Stack(server=parser.parse_args().server, report=print_line) as stack:
        print_line(format_addresses(stack))
        stop.wait()


def format_addresses(stack: Stack) -> str:
    assert stack.redis is not None
    addresses = {
        **{f"{web.name} ({stack.server})": f"{web.url}/" for web in stack.webs},
        "PostgreSQL": stack.environment["DATABASE_URL"],
        "Redis": stack.redis.url,
        "logs": str(stack.folder),
    }
    lines = [f"  {name:<16}{address}" for name, address in addresses.items()]
    workers = ", ".join(worker.name for worker in stack.workers)
    end = f"  {workers} run the streams. Ctrl-C ends and removes everything."
    return "\n".join(["", *lines, "", end, ""])


def print_line(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
