"""The processes of a run beside the stack: the provider, and the readers."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.deployment.http_user import Person
from tools.fake_provider import Fake
from tools.services.helper_process import Child

ROOT = Path(__file__).resolve().parents[2]


class ProviderProcess(Child):
    """The `provider` process, with the tests' own access to the fake's records."""

    def __init__(self) -> None:
        super().__init__("provider", sys.executable, "-m", "tests.chaos.provider")
        self.fake = Fake(json.loads(self.read_line())["url"])


@dataclass(frozen=True, slots=True)
class Habits:
    """The followers of a process: sockets for each person, how many of them never read, how many of
    the others follow a stream, whether they cause no disturbances, and whether their frames are
    recorded."""

    tabs: int = 4
    mute: int = 0
    followers: int = 4
    calm: bool = False
    kept: bool = True


class Recorder(Child):
    """A process that follows streams; `file` has its frames after it has ended."""

    file: Path

    def finish(self, within: float) -> None:
        """Cause no disturbances from now on, and end once everything has ended or the seconds are
        over."""
        self.write_line(json.dumps({"finish": within}))


class EngineUser(Recorder):
    """A process that starts streams of numbered lines and follows them in Python."""

    def __init__(self, seed: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.file = folder / "engine.jsonl"
        command = (sys.executable, "-m", "django", "use_engine", seed, str(self.file))
        quiet = {**environment, "LOG_LEVEL": "CRITICAL"}  # Redis goes away on purpose
        super().__init__("engine user", *command, environment=quiet)


class Reader(Recorder):
    """A process of followers at sockets."""

    def __init__(self, name: str, seed: str, folder: Path, habits: Habits) -> None:
        self.file = folder / f"{name}.jsonl"
        self._habits = habits
        command = (sys.executable, "-m", "tests.chaos.follower")
        super().__init__(name, *command, name, seed, str(self.file))

    def begin(self, webs: list[str], people: list[Person]) -> None:
        cookies = [f"sessionid={person.cookies['sessionid']}" for person in people]
        self.write_line(json.dumps({"webs": webs, "cookies": cookies, **asdict(self._habits)}))

    def follow(self, person: int, stream: str) -> None:
        self.write_line(json.dumps({"person": person, "follow": stream}))
