"""A client with many simultaneous requests waits for its own, and delays no other client."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import fields
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.core import signing
from django.http import HttpResponse
from django.test import AsyncRequestFactory
from django.urls import reverse

from accounts import devices
from accounts.devices import SALT
from config import fair_share, request_queue
from config.credential_owners import CredentialOwnerCache
from config.fair_share import Client, FairShare
from config.request_queue import (
    MAX_RUNNING_PER_ADDRESS,
    MAX_RUNNING_PER_USER,
    MAX_WAITING_PER_CLIENT,
    USER_ID_KEY,
    RequestQueueMiddleware,
    SharesByKind,
)
from streaming.doors.client_identity import get_session_key
from streaming.doors.credentials import Credential

Message = dict[str, Any]


class Site:
    """A page that runs until `released`; `signed_in` contains the user of each session."""

    def __init__(self, max_running: int = 1_000, max_running_visitors: int = 1_000) -> None:
        self.shares = SharesByKind(
            *(FairShare(max_running, max_running_visitors) for _ in fields(SharesByKind))
        )
        self.app = RequestQueueMiddleware(
            self._serve_page, CredentialOwnerCache(self._find_user), self.shares
        )
        self.running = 0
        self.statuses: list[int] = []
        self.signed_in: dict[str, int] = {}
        self.looked_up_sessions: list[str] = []
        self.released = asyncio.Event()
        self.client_reads = asyncio.Event()
        self.client_reads.set()

    async def _serve_page(self, scope: Message, receive: Any, send: Any) -> None:
        self.running += 1
        try:
            await self.released.wait()
        finally:
            self.running -= 1
        session = get_session_key(scope["headers"])
        scope[USER_ID_KEY] = self.signed_in.get(session or "")
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    async def _find_user(self, credential: Credential) -> Any:
        session = credential.value
        self.looked_up_sessions.append(session)
        return SimpleNamespace(pk=self.signed_in[session]) if session in self.signed_in else None

    def send_request(
        self,
        session: str = "",
        address: str = "10.0.0.1",
        path: str = "/",
        method: str = "GET",
        device: str = "",
    ) -> Any:
        cookies = f"sessionid={session}; {devices.COOKIE_NAME}={device}"
        headers = [(b"cookie", cookies.encode())]
        scope = {"type": "http", "path": path, "headers": headers, "client": (address, 1)}
        scope["method"] = method
        return asyncio.create_task(self.app(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if "status" in message:
            self.statuses.append(message["status"])
        await self.client_reads.wait()


async def run_pending_tasks() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def site() -> Site:
    return Site()


async def test_forged_sessions_count_for_their_address(site: Site) -> None:
    requests = [site.send_request(f"{n:032}") for n in range(50)]
    await run_pending_tasks()
    assert site.running == MAX_RUNNING_PER_ADDRESS
    other, static = site.send_request(address="10.0.0.2"), site.send_request(path="/static/app.css")
    await run_pending_tasks()
    assert site.running == MAX_RUNNING_PER_ADDRESS + 2
    site.released.set()
    await asyncio.gather(*requests, other, static)
    assert site.statuses == [200] * 52
    assert (site.app._limiter.running_counts, site.app._limiter.queues) == ({}, {})


async def test_a_user_is_one_client_over_all_sessions_and_addresses(
    site: Site,
) -> None:
    site.signed_in = {"a" * 32: 1, "b" * 32: 1, "c" * 32: 2}
    site.released.set()
    await asyncio.gather(*(site.send_request(session) for session in site.signed_in))
    site.released.clear()
    requests = [site.send_request(session) for session in ["a" * 32, "b" * 32] * 20]
    requests += [site.send_request() for _ in range(50)]
    await run_pending_tasks()
    assert site.running == MAX_RUNNING_PER_USER + MAX_RUNNING_PER_ADDRESS
    requests.append(site.send_request("c" * 32))
    await run_pending_tasks()
    assert site.running == MAX_RUNNING_PER_USER + MAX_RUNNING_PER_ADDRESS + 1
    site.released.set()
    await asyncio.gather(*requests)


async def test_requests_beyond_the_queue_get_503(site: Site) -> None:
    requests = [
        site.send_request() for _ in range(MAX_RUNNING_PER_ADDRESS + MAX_WAITING_PER_CLIENT + 3)
    ]
    await run_pending_tasks()
    assert site.statuses == [503] * 3
    site.released.set()
    await asyncio.gather(*requests)


async def test_no_request_waits_without_limit(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_queue, "MAX_WAIT_SECONDS", 0.01)
    requests = [site.send_request() for _ in range(MAX_RUNNING_PER_ADDRESS + 5)]
    await asyncio.gather(*requests[MAX_RUNNING_PER_ADDRESS:])
    assert site.statuses == [503] * 5
    site.released.set()
    await asyncio.gather(*requests)
    assert (site.app._limiter.running_counts, site.app._limiter.queues) == ({}, {})


async def test_a_client_that_disconnects_frees_its_turn(site: Site) -> None:
    requests = [site.send_request() for _ in range(MAX_RUNNING_PER_ADDRESS + 20)]
    await run_pending_tasks()
    for each in (*requests[:5], *requests[-5:]):
        each.cancel()
        if each is requests[0]:
            await asyncio.sleep(0)
            requests[MAX_RUNNING_PER_ADDRESS].cancel()  # at the moment it gets a slot
    await run_pending_tasks()
    assert site.running == MAX_RUNNING_PER_ADDRESS
    site.released.set()
    ends = await asyncio.gather(*requests, return_exceptions=True)
    assert sum(isinstance(end, asyncio.CancelledError) for end in ends) == 11
    assert {end for end in ends if not isinstance(end, asyncio.CancelledError)} == {None}
    assert (site.app._limiter.running_counts, site.app._limiter.queues) == ({}, {})


async def test_a_client_that_does_not_read_its_response_frees_its_turn(site: Site) -> None:
    site.client_reads.clear()
    site.released.set()
    stuck = [site.send_request() for _ in range(MAX_RUNNING_PER_ADDRESS + MAX_WAITING_PER_CLIENT)]
    await run_pending_tasks()
    assert len(site.statuses) == len(stuck)
    assert (site.app._limiter.running_counts, site.app._limiter.queues) == ({}, {})
    for each in stuck[:5]:
        each.cancel()
    site.client_reads.set()
    await asyncio.gather(*stuck, return_exceptions=True)
    assert site.app._limiter.running_counts == {}


async def test_a_reply_can_be_stopped_while_all_turns_are_taken() -> None:
    site = Site(max_running=MAX_RUNNING_PER_USER, max_running_visitors=MAX_RUNNING_PER_USER)
    site.signed_in = {"a" * 32: 1}
    site.released.set()
    await site.send_request("a" * 32)
    site.released.clear()
    requests = [
        site.send_request("a" * 32, method=method)
        for method in ("GET", "POST")
        for _ in range(MAX_RUNNING_PER_USER + MAX_WAITING_PER_CLIENT)
    ]
    await run_pending_tasks()
    stop = f"/s/{uuid4()}/stop/"
    requests += [
        site.send_request("a" * 32, path=path, method="POST")
        for path in (stop, "/accounts/logout/", f"{stop}x")
    ]
    await run_pending_tasks()
    assert (site.running, site.statuses) == (2 * MAX_RUNNING_PER_USER + 2, [200, 503])
    requests += [site.send_request("a" * 32, path=stop, method="POST") for _ in range(50)]
    await run_pending_tasks()
    assert site.running == 3 * MAX_RUNNING_PER_USER
    site.released.set()
    await asyncio.gather(*requests)


# Each of these takes a thread in any case: no kind may take all threads.
PATHS = ["/", "/nowhere/", "/static/app.css", "/static/nowhere", "/accounts/logout/"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", [*PATHS, f"/s/{uuid4()}/stop/", "/settings/keys/openai/"])
async def test_every_path_and_method_is_bounded(path: str, method: str) -> None:
    site = Site(max_running=4, max_running_visitors=2)
    requests = [
        site.send_request(f"{number:032}", f"10.0.1.{number % 39}", path, method)
        for number in range(200)
    ]
    await run_pending_tasks()
    assert site.running == 2
    site.signed_in = {f"{number:032}": number for number in range(50, 250)}
    for session in site.signed_in:
        site.app._owners.set_owner(Credential(session, is_token=False), site.signed_in[session])
    requests += [site.send_request(session, path=path, method=method) for session in site.signed_in]
    await run_pending_tasks()
    assert site.running == 4
    site.released.set()
    await asyncio.gather(*requests)


async def test_a_user_unknown_to_this_process_does_not_wait_for_visitors(site: Site) -> None:
    site.signed_in = {"a" * 32: 1}
    requests = [
        site.send_request(f"{number:032}")
        for number in range(MAX_RUNNING_PER_ADDRESS + MAX_WAITING_PER_CLIENT)
    ]
    await run_pending_tasks()
    requests.append(site.send_request("a" * 32))
    await run_pending_tasks()
    assert site.running == MAX_RUNNING_PER_ADDRESS + 1
    assert "a" * 32 in site.looked_up_sessions
    site.released.set()
    await asyncio.gather(*requests)
    assert site.statuses == [200] * len(requests)


# The share of each client

BUSY = Client("user 1", is_visitor=False, user_id=1)
QUIET = Client("user 2", is_visitor=False, user_id=2)


async def test_the_client_with_the_least_recent_use_is_next() -> None:
    share = FairShare(max_running=1)
    await share.acquire_slot(BUSY)
    waiting = [asyncio.create_task(share.acquire_slot(BUSY)) for _ in range(5)]
    await run_pending_tasks()
    quiet = asyncio.create_task(share.acquire_slot(QUIET))
    await run_pending_tasks()
    share.release_slot(BUSY, 2 * fair_share.FREE_USE_SECONDS)
    await run_pending_tasks()
    assert quiet.done()
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    share.release_slot(QUIET)
    await run_pending_tasks()
    assert (share.running_count, share.waiting) == (0, [])


async def test_old_use_no_longer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("config.fair_share.time.monotonic", lambda: now)
    share = FairShare(max_running=1)
    await share.acquire_slot(BUSY)
    share.release_slot(BUSY, 60)
    now += 20 * fair_share.HALF_LIFE_SECONDS
    await share.acquire_slot(QUIET)
    share.release_slot(QUIET, 2 * fair_share.FREE_USE_SECONDS)
    await share.acquire_slot(BUSY)
    waiting = [asyncio.create_task(share.acquire_slot(client)) for client in (QUIET, BUSY)]
    await run_pending_tasks()
    share.release_slot(BUSY)
    await run_pending_tasks()
    assert [task.done() for task in waiting] == [False, True]
    waiting[0].cancel()


async def find_next(clients: list[Client], share: FairShare) -> Client:
    """Return the next of these requests, which arrive in this order and wait for one slot."""
    await share.acquire_slot(QUIET)
    waiting = {asyncio.create_task(share.acquire_slot(client)): client for client in clients}
    await run_pending_tasks()
    share.release_slot(QUIET)
    await run_pending_tasks()
    [served] = [client for task, client in waiting.items() if task.done()]
    for task in waiting:
        task.cancel()
    return served


async def test_new_clients_do_not_always_go_first() -> None:
    share = FairShare(max_running=1)
    clients = [BUSY, *(Client(f"user {number}", False, user_id=number) for number in range(3, 12))]
    await share.acquire_slot(BUSY)
    share.release_slot(BUSY, fair_share.FREE_USE_SECONDS / 2)
    assert await find_next(clients, share) == BUSY


async def test_older_accounts_go_before_new_ones() -> None:
    made = [Client(f"user {number}", False, user_id=number) for number in range(100, 120)]
    visitors = [Client(f"address {number}", is_visitor=True) for number in range(20)]
    assert await find_next([*visitors, *made, BUSY], FairShare(max_running=1)) == BUSY
    assert await find_next([*visitors, *reversed(made)], FairShare(max_running=1)) == made[0]


async def test_a_light_new_account_goes_before_heavy_old_ones() -> None:
    reader = Client("user 9", False, user_id=9)
    share = FairShare(max_running=1)
    for number in range(1, 9):  # they share one processor all the time
        share.usage_by_client[f"user {number}"] = fair_share.ClientUsage(
            20 / math.log(2) / 20, time.monotonic()
        )
    share.usage_by_client[reader.name] = fair_share.ClientUsage(0.3, time.monotonic())
    busy = [Client(f"user {number}", False, user_id=number) for number in range(1, 9)]
    assert await find_next([*busy, reader], share) == reader


async def test_a_reader_goes_before_light_clients_that_always_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All have used equally little. The reader's account is the newest."""
    now = 1_000.0
    monkeypatch.setattr("config.fair_share.time.monotonic", lambda: now)
    share = FairShare(max_running=1)
    reader = Client("user 99", False, user_id=99)
    await share.acquire_slot(reader)
    share.release_slot(reader, 0.4)
    others = [Client(f"user {number}", False, user_id=number) for number in range(3, 23)]
    await share.acquire_slot(BUSY)
    pages = [asyncio.create_task(share.acquire_slot(client)) for client in others * 2]
    await run_pending_tasks()
    now += 1
    page = asyncio.create_task(share.acquire_slot(reader))
    await run_pending_tasks()
    share.release_slot(BUSY, 0.01)
    await run_pending_tasks()
    assert page.done()
    assert not any(other.done() for other in pages)
    for other in pages:
        other.cancel()
    await asyncio.gather(*pages, return_exceptions=True)
    assert {share.usage_by_client[client.name].open_count for client in others} == {0}


async def test_every_fourth_turn_goes_to_the_longest_waiting_client() -> None:
    share = FairShare(max_running=1)
    visitor = Client("address 1", is_visitor=True)
    share.usage_by_client[visitor.name] = fair_share.ClientUsage(100.0, time.monotonic())
    served = []
    for _ in range(fair_share.OLDEST_WAITER_EVERY):
        served.append(await find_next([visitor, BUSY], share))
        share.release_slot(served[-1])
    assert sorted(client.name for client in served).count(visitor.name) >= 1
    assert served.count(BUSY) >= 1


@pytest.mark.parametrize(
    ("path", "method", "charged"), [("/", "GET", 7.0), ("/accounts/login/", "POST", 0.0)]
)
async def test_pages_are_charged_cpu_time_and_sign_ins_elapsed_time(
    path: str, method: str, charged: float
) -> None:
    async def page(scope: Message, receive: Any, send: Any) -> None:
        scope[request_queue.CPU_SECONDS_KEY] = 7.0

    shares = SharesByKind()
    scope = {"type": "http", "path": path, "headers": [], "client": ("10.0.0.1", 1)}
    app = RequestQueueMiddleware(page, CredentialOwnerCache(Site()._find_user), shares)
    await app(scope | {"method": method}, Site()._receive, Site()._send)
    [usage] = shares.choose_share(method, path).usage_by_client.values()
    assert usage.seconds == pytest.approx(charged, abs=1)


STARTING = ["start", "send", "versions", "continuations"]
STARTING_BY_API = ["start_conversation", "send_message", "create_version", "continue_message"]


@pytest.mark.parametrize("name", [*STARTING, *(f"api:{name}" for name in STARTING_BY_API)])
def test_a_reply_is_charged_to_its_requester(name: str) -> None:
    path = reverse(name, args=[] if "start" in name else [uuid4()])
    request = {"path": path, "method": "POST", request_queue.CPU_SECONDS_KEY: 1.0}
    assert request_queue.estimate_work_seconds(request) == 1.0 + request_queue.REPLY_SECONDS


@pytest.mark.parametrize(("name", "method"), [("title", "POST"), ("conversation", "GET")])
def test_other_requests_are_charged_their_cpu_time_only(name: str, method: str) -> None:
    request = {"path": reverse(name, args=[uuid4()]), "method": method}
    assert (
        request_queue.estimate_work_seconds(request | {request_queue.CPU_SECONDS_KEY: 1.0}) == 1.0
    )


@pytest.mark.parametrize("name", ["stop", "api:stop_stream"])
def test_a_stop_waits_for_no_page(name: str) -> None:
    shares = SharesByKind()
    assert shares.choose_share("POST", reverse(name, args=[uuid4()])) is shares.stops


async def test_waiting_for_a_provider_takes_no_turn_from_the_same_users_pages() -> None:
    site = Site()
    site.signed_in = {"a" * 32: 1}
    site.released.set()
    await site.send_request("a" * 32)
    site.released.clear()
    keys = "/settings/keys/openai/check/"
    requests = [site.send_request("a" * 32, path=keys, method="POST") for _ in range(10)]
    requests.append(site.send_request("a" * 32))
    await run_pending_tasks()
    assert site.running == MAX_RUNNING_PER_USER + 1
    site.released.set()
    await asyncio.gather(*requests)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/c/", "POST"),
        ("/drafts/", "PUT"),
        ("/settings/data/", "POST"),
        ("/accounts/email/", "POST"),
    ],
)
async def test_forms_of_others_take_no_turn_from_pages(path: str, method: str) -> None:
    site = Site(max_running=1)
    site.signed_in = {"a" * 32: 1, "b" * 32: 2}
    site.released.set()
    await asyncio.gather(*(site.send_request(session) for session in site.signed_in))
    site.released.clear()
    requests = [site.send_request("a" * 32, path=path, method=method) for _ in range(10)]
    requests.append(site.send_request("b" * 32))
    await run_pending_tasks()
    assert site.running == 2, "one form and the page"
    site.released.set()
    await asyncio.gather(*requests)


def test_a_request_is_charged_its_cpu_time() -> None:
    def page(request: Any) -> HttpResponse:
        time.sleep(0.2)
        sum(range(1_000_000))
        return HttpResponse()

    request = AsyncRequestFactory().get("/")
    began = time.thread_time()
    request_queue.record_request_usage(page)(request)
    cpu_seconds = time.thread_time() - began
    assert 0 < request.scope[request_queue.CPU_SECONDS_KEY] <= cpu_seconds


async def test_a_known_browser_goes_before_strangers() -> None:
    site = Site(max_running=1, max_running_visitors=1)
    site.released.set()
    share, visitor = site.shares.logins, Client("somebody", is_visitor=True)
    await share.acquire_slot(visitor)
    forged, known = (signing.dumps({"7": ["id", "code"]}, salt=salt) for salt in ("no", SALT))
    order: list[str] = []
    for name, device in (("guesser", ""), ("forger", forged), ("owner", known)):
        task = site.send_request(
            address=name, path="/accounts/login/", method="POST", device=device
        )
        task.add_done_callback(lambda _, name=name: order.append(name))
        await run_pending_tasks()
    share.release_slot(visitor)
    await run_pending_tasks()
    assert order == ["owner", "guesser", "forger"]


async def test_visitors_leave_turns_for_people() -> None:
    site = Site(max_running=4, max_running_visitors=2)
    site.signed_in = {"a" * 32: 1}
    site.released.set()
    await site.send_request("a" * 32)
    site.released.clear()
    requests = [site.send_request(address=f"10.0.1.{number}") for number in range(30)]
    await run_pending_tasks()
    assert site.running == 2
    requests += [site.send_request("a" * 32) for _ in range(3)]
    await run_pending_tasks()
    assert site.running == 4
    site.released.set()
    await asyncio.gather(*requests)
    assert (site.shares.pages.running_count, site.shares.pages.visitor_count) == (0, 0)


async def test_waiting_for_a_provider_or_mail_server_delays_no_page() -> None:
    site = Site(max_running=1, max_running_visitors=1)
    waiting = ["/settings/keys/openai/", "/accounts/password/reset/"]
    requests = [site.send_request(path=path, method="POST") for path in waiting]
    requests += [site.send_request(path=path) for path in ("/", "/static/app.css")]
    await run_pending_tasks()
    assert site.running == 3
    site.released.set()
    await asyncio.gather(*requests)


@pytest.mark.parametrize("ticks", range(8))
async def test_turns_are_freed_whenever_a_client_leaves(ticks: int) -> None:
    share = FairShare(max_running=2)

    async def compute() -> None:
        await share.acquire_slot(BUSY)
        try:
            await asyncio.sleep(0)
        finally:
            share.release_slot(BUSY)

    running = [asyncio.create_task(compute()) for _ in range(20)]
    for _ in range(ticks):
        await asyncio.sleep(0)
    for task in running[::2]:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert (share.running_count, share.waiting) == (0, [])


async def test_the_share_remembers_a_bounded_number_of_clients() -> None:
    share = FairShare()
    for number in range(fair_share.MAX_REMEMBERED_CLIENTS + 10):
        client = Client(str(number), is_visitor=False)
        await share.acquire_slot(client)
        share.release_slot(client)
    assert len(share.usage_by_client) <= fair_share.MAX_REMEMBERED_CLIENTS
