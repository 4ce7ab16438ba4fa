"""The processes of a run that are no part of the stack: the provider, and the readers."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.deployment.http_user import Person
from tools.fake_provider import Fake
from tools.services.helper_process import Child

ROOT = Path(__file__).resolve().parents[2]


class ProviderProcess(Child):
    """`provider`, with the tests' own way to ask the fake what it saw."""

    def __init__(self) -> None:
        super().__init__("provider", sys.executable, "-m", "tests.chaos.provider")
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
        command = (sys.executable, "-m", "tests.chaos.follower")
        super().__init__(name, *command, name, seed, str(self.file))

    def begin(self, webs: list[str], people: list[Person]) -> None:
        cookies = [f"sessionid={person.cookies['sessionid']}" for person in people]
        self.write(json.dumps({"webs": webs, "cookies": cookies, **asdict(self._habits)}))

    def follow(self, person: int, stream: str) -> None:
        self.write(json.dumps({"person": person, "follow": stream}))

    def finish(self, within: float) -> None:
        """Behave from now on, and go once everything has ended or the seconds are over."""
        self.write(json.dumps({"finish": within}))
