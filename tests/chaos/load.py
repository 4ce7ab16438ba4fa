"""People who ask questions, by forms or with programs through the gateway. Requests are posted to a
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
from typing import Any
from uuid import UUID, uuid4

import httpx2

from tests.chaos.monitor import Monitor
from tests.chaos.script import AnswerScript, AskedQuestion
from tools.deployment.http_user import Person

MODEL = "gpt-4o-mini"
PEOPLE_COUNT = 10
DUPLICATE_SHARE = 0.15
STOP_SHARE = 0.08
CONTINUATION_SHARE = 0.35
"""Shares of the questions: posted several times, stopped, and asked in an existing conversation."""
MAX_TURNS = 4
MAX_UNFINISHED = 70
"""No more questions while so many replies run or wait: the program tests faults, not load."""
RETRY_SECONDS = 0.3

AnnounceStream = Callable[[int, str, bool], Awaitable[None]]
"""Called with the number of a person, a stream, and whether it is a response of the gateway."""
CreateScript = Callable[[Random, int], AnswerScript]


class LoadGenerator:
    """Asks questions. `asked` are the accepted ones; `refused` are the responses to the others."""

    def __init__(
        self,
        webs: list[str],
        people: list[Person],
        seed: str,
        monitor: Monitor,
        announce: AnnounceStream,
        create_script: CreateScript = AnswerScript.create_random,
        gateway_share: float = 0.0,
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
        self._gateway_share = gateway_share
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
        is_response = random.random() < self._gateway_share
        ask = self._ask_with_program if is_response else self._ask_with_form
        stream = await ask(asked)
        if stream is None:
            return
        self.counts["posts twice"] += copies > 1
        await self._announce(person, stream, is_response)
        if stopped:
            self.counts["stops"] += 1
            await asyncio.sleep(random.uniform(0, script.pieces * script.delay))
            if is_response:
                path = f"/v1/responses/resp_{UUID(stream).hex}/cancel"
                await self._post(path, 1, accepted=200, headers=self._build_token_header(person))
            else:
                form = self._build_form(person, {})
                await self._post(f"/s/{stream}/stop/", 1, accepted=302, **form)

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
        self._remember_conversation(asked.person, response.headers["location"], turns + 1)
        self.asked.append(asked)
        return await self._monitor.wait_for_stream(asked.request)

    async def _ask_with_program(self, asked: AskedQuestion) -> str | None:
        headers = self._build_token_header(asked.person) | {"Idempotency-Key": str(asked.request)}
        body = {"model": MODEL, "input": asked.script.question, "background": True}
        response = await self._post(
            "/v1/responses", asked.copies, accepted=200, headers=headers, json=body
        )
        if response is None:
            return None
        stream = str(UUID(response.json()["id"].removeprefix("resp_")))
        self.asked.append(replace(asked, stream=stream))
        return stream

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

    def _build_token_header(self, person: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._people[person].token}"}

    async def _post(
        self, path: str, copies: int, *, accepted: int, **request: Any
    ) -> httpx2.Response | None:
        """Return the first response with the accepted status; repeat the same request until there
        is one."""
        while True:
            webs = self._random.sample(self._webs, len(self._webs)) * copies
            posts = [self._post_once(web + path, request) for web in webs[:copies]]
            responses = [
                response for response in await asyncio.gather(*posts) if response is not None
            ]
            for response in responses:
                if response.status_code == accepted:
                    return response
            if responses and responses[0].status_code < 500:
                self.refused.append(
                    f"{path}: {responses[0].status_code} {responses[0].text[-500:]}"
                )
                return None
            self.counts["POSTs again"] += 1
            await asyncio.sleep(RETRY_SECONDS)

    async def _post_once(self, url: str, request: dict[str, Any]) -> httpx2.Response | None:
        try:
            return await self._http.post(url, **request)
        except httpx2.HTTPError:
            return None


def sign_up(base_url: str, count: int = PEOPLE_COUNT) -> list[Person]:
    """Create people with an account, a key and an access token through the pages."""
    people = [Person.sign_up(base_url, f"person{number}") for number in range(count)]
    for person in people:
        person.add_key()
        person.create_token("read", "gateway")
        person.close()
    return people
