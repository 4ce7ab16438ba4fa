"""The processes of a run beside the stack: the provider, and the readers."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.chaos.programs import AnnouncedReply
from tools.deployment.http_user import Person
from tools.fake_provider import Fake
from tools.services.helper_process import Child

ROOT = Path(__file__).resolve().parents[2]


class ProviderProcess(Child):
    """The process of the fake provider. `fake` controls it and reads its records."""

    def __init__(self) -> None:
        super().__init__("provider", sys.executable, "-m", "tests.chaos.provider")
        self.fake = Fake(json.loads(self.read_line())["url"])


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """The tabs of a process. Some of a person never read; of the others `followers_per_stream`
    follow each stream. A share of these uses other doors than the socket."""

    tabs_per_person: int = 4
    non_reading_tabs: int = 0
    followers_per_stream: int = 4
    other_doors_share: float = 0.0
    has_disturbances: bool = True
    records_frames: bool = True


class RecordingProcess(Child):
    """A process that follows streams. When it has ended, `file` has its frames."""

    file: Path

    def finish(self, timeout: float) -> None:
        """Let it end when all streams have ended, or after so many seconds."""
        self.write_line(json.dumps({"finish": timeout}))


class EngineProcess(RecordingProcess):
    """A process that starts streams of numbered lines and follows them in Python."""

    def __init__(self, seed: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.file = folder / "engine.jsonl"
        command = (sys.executable, "-m", "django", "use_engine", seed, str(self.file))
        quiet_environment = {**environment, "LOG_LEVEL": "CRITICAL"}  # Redis is stopped on purpose
        super().__init__("engine user", *command, environment=quiet_environment)


class ReaderProcess(RecordingProcess):
    """A process whose tabs follow streams."""

    def __init__(self, name: str, seed: str, folder: Path, options: ReaderOptions) -> None:
        self.file = folder / f"{name}.jsonl"
        self._options = options
        command = (sys.executable, "-m", "tests.chaos.follower")
        super().__init__(name, *command, name, seed, str(self.file))

    def start(self, webs: list[str], people: list[Person]) -> None:
        cookies = [f"sessionid={person.cookies['sessionid']}" for person in people]
        tokens = [person.token for person in people]
        orders = {"webs": webs, "cookies": cookies, "tokens": tokens, **asdict(self._options)}
        self.write_line(json.dumps(orders))

    def follow(self, person: int, reply: AnnouncedReply) -> None:
        self.write_line(json.dumps({"person": person, "follow": asdict(reply)}))
