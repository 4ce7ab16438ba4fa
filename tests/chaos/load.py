"""People who ask: forms are posted to either web process, now and then several times at once,
again until one of them is answered, and some replies are stopped in the middle."""

import asyncio
import itertools
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from uuid import uuid4

import httpx2

from tests.chaos.monitor import Watch
from tests.chaos.script import Asked, Script
from tools.deployment.http_user import Person

MODEL = "gpt-4o-mini"
PEOPLE = 10
DUPLICATED = 0.15
STOPPED = 0.08
GOES_ON = 0.35
"""How often a question is one more of a conversation that is there."""
TURNS = 4
UNFINISHED = 70
"""No more is asked while so many replies run or wait: what is measured is faults, not load."""
AGAIN = 0.3

Announce = Callable[[int, str], Awaitable[None]]
Draw = Callable[[Random, int], Script]


class Load:
    """Asks about `rate` questions a second until told to stop. `asked` is what it knows of."""

    def __init__(
        self,
        webs: list[str],
        people: list[Person],
        seed: str,
        watch: Watch,
        announce: Announce,
        draw: Draw = Script.draw,
    ) -> None:
        self.asked: list[Asked] = []
        self.refused: list[str] = []
        self.counts: Counter[str] = Counter()
        self._webs = webs
        self._people = people
        self._random = Random(seed)
        self._watch = watch
        self._announce = announce
        self._draw = draw
        self._conversations: list[list[tuple[str, int]]] = [[] for _ in people]
        self._http = httpx2.AsyncClient(timeout=15, follow_redirects=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()

    async def run(self, rate: float, until: float) -> None:
        while time.monotonic() < until:
            await asyncio.sleep(self._random.expovariate(rate))
            if self._watch.unfinished + len(self._tasks) < UNFINISHED:
                task = asyncio.create_task(self._ask())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Every question that was begun is answered with a page; then nobody asks any more."""
        while self._tasks:
            await asyncio.gather(*self._tasks)
        await self._http.aclose()

    async def _ask(self) -> None:
        random = self._random
        script = self._draw(random, next(self._numbers))
        person, request = random.randrange(len(self._people)), uuid4()
        copies = random.choice([2, 3]) if random.random() < DUPLICATED else 1
        stopped = random.random() < STOPPED
        path, turns = self._place(person)
        form = {"text": script.question, "model": MODEL, "request_id": str(request)}
        where = await self._post(person, path, form, copies)
        if where is None:
            return
        self._remember(person, where, turns + 1)
        self.asked.append(Asked(script, person, request, copies, stopped))
        self.counts["posts twice"] += copies > 1
        stream = await self._watch.stream_of(request)
        await self._announce(person, stream)
        if stopped:
            self.counts["stops"] += 1
            await asyncio.sleep(random.uniform(0, script.pieces * script.delay))
            await self._post(person, f"/s/{stream}/stop/", {}, 1)

    def _place(self, person: int) -> tuple[str, int]:
        """Where the next question goes, and how many that conversation has had."""
        going = self._conversations[person]
        if going and self._random.random() < GOES_ON:
            conversation, turns = going.pop(self._random.randrange(len(going)))
            return f"/c/{conversation}/messages/", turns
        return "/c/", 0

    def _remember(self, person: int, where: str, turns: int) -> None:
        found = re.search(r"/c/([0-9a-f-]{36})/", where)
        if found and turns < TURNS:
            self._conversations[person].append((found[1], turns))

    async def _post(self, person: int, path: str, form: dict[str, str], copies: int) -> str | None:
        """Where the answer leads; asked again, with the same request id, until there is one."""
        while True:
            webs = self._random.sample(self._webs, len(self._webs)) * copies
            posts = [self._post_once(person, web + path, form) for web in webs[:copies]]
            answers = [answer for answer in await asyncio.gather(*posts) if answer is not None]
            moved = [a.headers["location"] for a in answers if a.status_code == 302]
            if moved:
                return moved[0]
            if answers and answers[0].status_code < 500:
                self.refused.append(f"{path}: {answers[0].status_code} {answers[0].text[-500:]}")
                return None
            self.counts["POSTs again"] += 1
            await asyncio.sleep(AGAIN)

    async def _post_once(
        self, person: int, url: str, form: dict[str, str]
    ) -> httpx2.Response | None:
        cookies = self._people[person].cookies
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        data = {**form, "csrfmiddlewaretoken": cookies["csrftoken"]}
        try:
            return await self._http.post(url, data=data, headers=headers)
        except httpx2.HTTPError:
            return None


def sign_up(base_url: str, count: int = PEOPLE) -> list[Person]:
    """People with an account and a key, which they made through the pages."""
    people = [Person.sign_up(base_url, f"person{number}") for number in range(count)]
    for person in people:
        person.add_key()
        person.close()
    return people
