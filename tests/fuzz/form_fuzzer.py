"""Sends malformed posts to every form, and reports server errors, crashes and leaks.

Meanwhile staff open the pages of the admin, where they may read no text of others without a grant.
"""

from __future__ import annotations

import gc
import logging
from typing import Any

import psutil
from asgiref.sync import sync_to_async
from django.core import mail

from tests.fuzz import post_routes, sending
from tests.fuzz.form_inputs import TOKEN, FormInputs
from tests.fuzz.people import QUESTIONS, STAFF_ROLES, People
from tests.fuzz.post_routes import Route, find_fields, list_routes
from tests.fuzz.problems import ProblemHandler
from tests.fuzz.sending import RawRequest

RESTORE_EVERY = 40
CLEAN_EVERY = 1_000
LOOK_EVERY = 20
ADMIN_PREFIX = "/admin/"


class FormFuzzer:
    """One run with a seed; `failures` describes the findings, a line each."""

    def __init__(self, application: Any, seed: int) -> None:
        self.application, self.seed = application, seed
        self.failures: list[str] = []
        self.statuses: dict[int, int] = {}
        self.people = People()
        self.inputs: FormInputs
        self.admin_routes = [
            route for route in list_routes() if route.template.startswith(ADMIN_PREFIX)
        ]

    async def prepare(self) -> None:
        """Fail at an address that accepts a POST and whose fields nobody has named."""
        await sync_to_async(self.people.delete_objects)()
        named: list[tuple[Route, tuple[str, ...]]] = []
        for route in list_routes():
            if (fields := find_fields(route)) is not None:
                named.append((route, fields))
            elif await self._probe(route) != 405:
                raise AssertionError(
                    f"Name the fields of {route.template} in {post_routes.__file__}"
                )
        self.inputs = FormInputs(self.seed, named, self.people.sessions, self.people.ids)

    async def _probe(self, route: Route) -> int:
        """Return the status of an empty POST by an administrator, who may do most."""
        ids = self.people.ids["administrator"]
        path = route.template % {name: ids.get(name, ["x"])[0] for name in route.names}
        request = self._build_plain_request("POST", path, "administrator")
        status, _, _ = await sending.send_http(self.application, request)
        return status

    def _build_plain_request(self, method: str, path: str, role: str) -> RawRequest:
        cookie = f"csrftoken={TOKEN}; sessionid={self.people.sessions[role]}"
        headers = {"host": "127.0.0.1:8000", "cookie": cookie, "x-csrftoken": TOKEN}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        return RawRequest(method, path, raw)

    async def run(self, numbers: range) -> None:
        for number in numbers:
            if number % CLEAN_EVERY == 0:
                mail.outbox.clear()
                await sync_to_async(self.people.delete_objects)()
            elif number % RESTORE_EVERY == 0:
                await sync_to_async(self.people.restore)()
            await self.try_input(number)
            if number % LOOK_EVERY == 0:
                await self.look_into_admin(number // LOOK_EVERY, number)

    def count_looks(self) -> int:
        """Turns until staff have seen each page of the admin with each object."""
        return (
            len(self.people.ids["witness"]["object_id"]) * len(STAFF_ROLES) * len(self.admin_routes)
        )

    async def look_into_admin(self, turn: int, number: int = 0) -> None:
        """Open the page of the admin whose turn it is, with ids of other people's objects. In
        `count_looks` turns both kinds of staff see each page with each object."""
        turn, role_number = divmod(turn, len(STAFF_ROLES))
        turn, route_number = divmod(turn, len(self.admin_routes))
        route, role = self.admin_routes[route_number], STAFF_ROLES[role_number]
        ids = [self.people.ids["witness"].get(name, ["x"]) for name in route.names]
        path = route.template % {
            name: choices[turn % len(choices)]
            for name, choices in zip(route.names, ids, strict=True)
        }
        await self._send(number, role, self._build_plain_request("GET", path, role))

    async def try_input(self, number: int) -> None:
        role, request = self.inputs.build(number)
        await self._send(number, role, request)

    async def _send(self, number: int, role: str, request: RawRequest) -> None:
        with ProblemHandler() as problems:
            try:
                status, _, text = await sending.send_http(self.application, request)
            except Exception as error:
                self._report(number, f"{error!r}", request)
                return
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status >= 500 or problems.records:
            records = [logging.Formatter().format(record)[-1500:] for record in problems.records]
            self._report(number, f"{status} {records}", request)
        for reader, question in QUESTIONS.items():
            if reader != role and question in text:
                self._report(number, f"{role} reads the text of the {reader}", request)

    def _report(self, number: int, problem: str, request: RawRequest) -> None:
        self.failures.append(f"{self.seed}:{number} {problem}: {request}")

    async def ask_as_witness(self) -> str:
        """Return the start page of the honest person, whom an administrator may have deleted."""
        await sync_to_async(self.people.restore)()
        cookie = f"sessionid={self.people.sessions['witness']}".encode()
        headers = [(b"host", b"127.0.0.1:8000"), (b"cookie", cookie)]
        request = RawRequest("GET", "/", headers, address="127.0.0.9")
        status, _, text = await sending.send_http(self.application, request)
        assert status == 200
        return text


def measure_memory() -> int:
    """Resident bytes of this process."""
    gc.collect()
    return psutil.Process().memory_info().rss
