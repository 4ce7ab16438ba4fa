"""The processes of a run that are no part of the stack: the provider, and the readers."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from tests.e2e.person import Person
from tests.fakes import Fake
from tests.services.keeper import keeper

ROOT = Path(__file__).resolve().parents[2]


class Child:
    """A process that takes its orders on its input, a line each."""

    def __init__(self, name: str, *command: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        keeper().keep(self.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def write(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def read(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def wait(self, within: float) -> None:
        self._process.wait(within)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        keeper().forget(self.pid)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()


class ProviderProcess(Child):
    """`provider`, with the tests' own way to ask the fake what it saw."""

    def __init__(self) -> None:
        super().__init__("provider", "tests.chaos.provider")
        self.fake = Fake(json.loads(self.read())["url"])


@dataclass(frozen=True, slots=True)
class Habits:
    """Of the followers in a process: sockets for each person, how many of these never read, how
    many of the others follow a stream, whether they behave, and whether what they saw is kept."""

    tabs: int = 4
    mute: int = 0
    followers: int = 4
    calm: bool = False
    kept: bool = True


class Reader(Child):
    """A process of followers; `file` has what they saw, once it is gone."""

    def __init__(self, name: str, seed: str, folder: Path, habits: Habits) -> None:
        self.file = folder / f"{name}.jsonl"
        self._habits = habits
        super().__init__(name, "tests.chaos.follower", name, seed, str(self.file))

    def begin(self, webs: list[str], people: list[Person]) -> None:
        cookies = [f"sessionid={person.cookies['sessionid']}" for person in people]
        self.write(json.dumps({"webs": webs, "cookies": cookies, **asdict(self._habits)}))

    def follow(self, person: int, stream: str) -> None:
        self.write(json.dumps({"person": person, "follow": stream}))

    def finish(self, within: float) -> None:
        """Behave from now on, and go once everything has ended or the seconds are over."""
        self.write(json.dumps({"finish": within}))
