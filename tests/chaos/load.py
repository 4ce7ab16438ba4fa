"""People who ask questions, by forms or with programs through other doors. Requests are posted to a
random web process, sometimes several times at once, and repeated until there is a response. Some
replies are stopped in the middle."""

import asyncio
import itertools
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx2

from tests.chaos.monitor import Monitor
from tests.chaos.programs import PAGE, PROGRAM_DOORS, AnnouncedReply, ProgramRequest
from tests.chaos.script import AnswerScript, AskedQuestion
from tools.deployment.http_user import Person

MODEL = "gpt-5.5"
PEOPLE_COUNT = 10
DUPLICATE_SHARE = 0.15
STOP_SHARE = 0.08
CONTINUATION_SHARE = 0.35
"""Shares of the questions: posted several times, stopped, and asked in an existing conversation."""
MAX_TURNS = 4
MAX_UNFINISHED = 70
"""No more questions while so many replies run or wait: the program tests faults, not load."""
RETRY_SECONDS = 0.3

AnnounceReply = Callable[[int, AnnouncedReply], Awaitable[None]]
"""Called with the number of a person, and a reply that this person has asked for."""
CreateScript = Callable[[Random, int], AnswerScript]


class Answer(NamedTuple):
    """The text is as much of the body as was read."""

    status: int
    text: str
    location: str


class LoadGenerator:
    """Asks questions. `asked` are the accepted ones; `refused` are the responses to the others."""

    def __init__(
        self,
        webs: list[str],
        people: list[Person],
        seed: str,
        monitor: Monitor,
        announce: AnnounceReply,
        create_script: CreateScript = AnswerScript.create_random,
        program_share: float = 0.0,
    ) -> None:
        self.asked: list[AskedQuestion] = []
        self.refused: list[str] = []
        self.counts: Counter[str] = Counter()
        self._webs = webs
        self._people = people
        self._random = Random(seed)
        self._monitor = monitor
        self._announce = announce
        self._create_script = create_script
        self._program_share = program_share
        # In turn, so that each door that somebody follows is asked through, also in a short run.
        self._doors = [itertools.cycle(PROGRAM_DOORS) for _ in people]
        self._conversations: list[list[tuple[str, int]]] = [[] for _ in people]
        self._http = httpx2.AsyncClient(timeout=15, follow_redirects=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()

    async def run(self, rate: float, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(self._random.expovariate(rate))
            if self._monitor.unfinished_count + len(self._tasks) < MAX_UNFINISHED:
                task = asyncio.create_task(self._ask_question())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait until every started question has its page, and close the connections."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
        await self._http.aclose()

    async def _ask_question(self) -> None:
        random = self._random
        script = self._create_script(random, next(self._numbers))
        person, request = random.randrange(len(self._people)), uuid4()
        copies = random.choice([2, 3]) if random.random() < DUPLICATE_SHARE else 1
        stopped = random.random() < STOP_SHARE
        asked = AskedQuestion(script, person, request, copies, stopped)
        door = PAGE
        if random.random() < self._program_share:
            door = next(self._doors[person])
        ask = self._ask_with_form(asked) if door == PAGE else self._ask_with_program(asked, door)
        stream = await ask
        if stream is None:
            return
        self.counts["posts twice"] += copies > 1
        reply = AnnouncedReply(stream, door, str(request), script.question)
        await self._announce(person, reply)
        if stopped:
            self.counts["stops"] += 1
            await asyncio.sleep(random.uniform(0, script.pieces * script.delay))
            await self._stop(person, reply)

    async def _stop(self, person: int, reply: AnnouncedReply) -> None:
        if reply.door == PAGE:
            path, form = f"/s/{reply.stream}/stop/", self._build_form(person, {})
            await self._post(path, 1, accepted=302, **form)
        else:
            await self._send(person, PROGRAM_DOORS[reply.door].stop(reply))

    async def _ask_with_form(self, asked: AskedQuestion) -> str | None:
        path, turns = self._choose_path(asked.person)
        fields = {
            "text": asked.script.question,
            "model": MODEL,
            "request_id": str(asked.request),
        }
        form = self._build_form(asked.person, fields)
        response = await self._post(path, asked.copies, accepted=302, **form)
        if response is None:
            return None
        self._remember_conversation(asked.person, response.location, turns + 1)
        self.asked.append(asked)
        return await self._monitor.wait_for_stream(asked.request)

    async def _ask_with_program(self, asked: AskedQuestion, door_name: str) -> str | None:
        """The program leaves when it knows the stream: others follow it."""
        door = PROGRAM_DOORS[door_name]
        request = door.ask(str(asked.request), asked.script.question, MODEL)
        answer = await self._send(asked.person, request, asked.copies, door.stream_pattern)
        found = answer and door.stream_pattern.search(answer.text)
        if not found:
            return None
        stream = str(UUID(found[1]))
        self.asked.append(replace(asked, stream=stream))
        return stream

    async def _send(
        self,
        person: int,
        request: ProgramRequest,
        copies: int = 1,
        wanted: re.Pattern[str] | None = None,
    ) -> Answer | None:
        headers = {"Authorization": f"Bearer {self._people[person].token}", **request.headers}
        body = {} if request.body is None else {"json": request.body}
        return await self._post(
            request.path, copies, accepted=request.status, wanted=wanted, headers=headers, **body
        )

    def _choose_path(self, person: int) -> tuple[str, int]:
        """Return the address for the next question, and the number of its conversation's
        questions."""
        open_ones = self._conversations[person]
        if open_ones and self._random.random() < CONTINUATION_SHARE:
            conversation, turns = open_ones.pop(self._random.randrange(len(open_ones)))
            return f"/c/{conversation}/messages/", turns
        return "/c/", 0

    def _remember_conversation(self, person: int, location: str, turns: int) -> None:
        found = re.search(r"/c/([0-9a-f-]{36})/", location)
        if found and turns < MAX_TURNS:
            self._conversations[person].append((found[1], turns))

    def _build_form(self, person: int, fields: dict[str, str]) -> dict[str, Any]:
        cookies = self._people[person].cookies
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        data = {**fields, "csrfmiddlewaretoken": cookies["csrftoken"]}
        return {"data": data, "headers": headers}

    async def _post(
        self,
        path: str,
        copies: int,
        *,
        accepted: int,
        wanted: re.Pattern[str] | None = None,
        **request: Any,
    ) -> Answer | None:
        """Return the first response with the accepted status, and with the wanted text; repeat the
        same request until there is one."""
        while True:
            webs = self._random.sample(self._webs, len(self._webs)) * copies
            posts = [self._post_once(web + path, wanted, request) for web in webs[:copies]]
            answers = [answer for answer in await asyncio.gather(*posts) if answer is not None]
            for answer in answers:
                if answer.status == accepted and (wanted is None or wanted.search(answer.text)):
                    return answer
            if answers and answers[0].status < 500:
                self.refused.append(f"{path}: {answers[0].status} {answers[0].text[-500:]}")
                return None
            self.counts["POSTs again"] += 1
            await asyncio.sleep(RETRY_SECONDS)

    async def _post_once(
        self, url: str, wanted: re.Pattern[str] | None, request: dict[str, Any]
    ) -> Answer | None:
        """Read no more than is wanted: some bodies last as long as a reply."""
        text = ""
        try:
            async with self._http.stream("POST", url, **request) as response:
                async for line in response.aiter_lines():
                    text += f"{line}\n"
                    if wanted is not None and wanted.search(line):
                        break
        except httpx2.HTTPError:
            return None
        return Answer(response.status_code, text, response.headers.get("location", ""))


def sign_up(base_url: str, count: int = PEOPLE_COUNT) -> list[Person]:
    """Create people with an account, a key and an access token through the pages."""
    people = [Person.sign_up(base_url, f"person{number}") for number in range(count)]
    for person in people:
        person.add_key()
        person.create_token("read", "write", "gateway")
        person.close()
    return people
