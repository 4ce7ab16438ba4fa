"""Limits the requests of one client that run at once, so that a client in a loop delays only
itself. A person counts as one client, and so does an address of visitors. `config/fair_share.py`
then shares the process among the clients."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, fields
from typing import Any, cast

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db.utils import Error
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from accounts import devices
from accounts.devices import find_oldest_account
from accounts.middleware import GetResponse
from chat.doors.registry import starts_reply, stops_reply
from config.credential_owners import (
    CredentialOwnerCache,
    credential_owners,
    find_credential,
)
from config.fair_share import Client, FairShare, ServerBusy
from streaming.asgi import ASGIApp, Receive, Send
from streaming.doors.client_identity import get_cookie, get_rate_limit_address
from streaming.doors.credentials import Credential

MAX_RUNNING_PER_USER = 2
MAX_RUNNING_PER_ADDRESS = 10
"""Requests of a kind that run at once; for an address, requests whose session is not known to have
a user. One person never holds all slots for pages."""
MAX_WAITING_PER_CLIENT = 100
"""Requests of one client that may wait for a slot."""
MAX_WAIT_SECONDS = 10.0

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Requests with these methods show something. They wait for no form."""
STOP_PATHS = re.compile(r"/s/[0-9a-f-]{36}/stop/|/api/streams/[0-9a-f-]{36}/stop|/accounts/logout/")
"""A POST to one of these stops a reply or signs out. It waits for no page."""
LOGIN_PATHS = re.compile(r"/accounts/(login|reauthenticate)/")
"""A POST to one of these waits until the password is hashed."""
REMOTE_CALL_PATHS = re.compile(r"/settings/keys/[^/]+/(check/)?|/accounts/.*")
"""A POST to one of these may wait for a provider or a mail server, and needs little CPU."""

REPLY_PATHS = re.compile(
    r"/c/([0-9a-f-]{36}/messages/)?|/m/[0-9a-f-]{36}/(versions|continuations)/"
    r"|/api/conversations(/[0-9a-f-]{36}/messages)?"
    r"|/api/messages/[0-9a-f-]{36}/(versions|continuations)"
)
"""A POST to one of these makes a worker, the database and all readers work as well."""
REPLY_SECONDS = 0.25
"""CPU seconds that are charged in addition."""
FREE_FORM_SECONDS = 2.0
"""About the charge of six replies within the time that counts."""

BUSY_RETRY_SECONDS = 5
BUSY_MESSAGE = _("You have too many requests running. Try again in a moment.")
USER_ID_KEY = "holdfast.user_id"
CPU_SECONDS_KEY = "holdfast.seconds_computed"


class ClientLimiter:
    """The running and the waiting requests of each client."""

    def __init__(self) -> None:
        self.running_counts: dict[str, int] = {}
        self.queues: dict[str, deque[asyncio.Future[None]]] = {}

    async def acquire_slot(self, client: str, max_running: int) -> None:
        """Wait for a slot. The caller has to call `release_slot`. Raises ServerBusy."""
        if self.running_counts.get(client, 0) < max_running:
            self.running_counts[client] = self.running_counts.get(client, 0) + 1
            return
        queue = self.queues.setdefault(client, deque())
        if len(queue) >= MAX_WAITING_PER_CLIENT:
            raise ServerBusy
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout(MAX_WAIT_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.release_slot(client)  # the slot was assigned in the same moment
            elif turn in queue:
                queue.remove(turn)
                self._drop_empty_queue(client)
            if isinstance(error, TimeoutError):
                raise ServerBusy from None
            raise

    def release_slot(self, client: str) -> None:
        """Pass the slot on to the request that waits longest."""
        queue = self.queues.get(client, deque())
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                self._drop_empty_queue(client)
                return
        self._drop_empty_queue(client)
        self.running_counts[client] -= 1
        if not self.running_counts[client]:
            del self.running_counts[client]

    def _drop_empty_queue(self, client: str) -> None:
        if client in self.queues and not self.queues[client]:
            del self.queues[client]


@dataclass(frozen=True, slots=True)
class SharesByKind:
    """The queues of a process, by kind: a flood of one kind does not delay the others."""

    pages: FairShare = field(default_factory=FairShare)
    forms: FairShare = field(
        default_factory=lambda: FairShare(max_running=2, free_use_seconds=FREE_FORM_SECONDS)
    )
    static: FairShare = field(default_factory=lambda: FairShare(max_running=4, max_visitors=4))
    logins: FairShare = field(
        default_factory=lambda: FairShare(max_running=1, max_visitors=1, charges_wall_time=True)
    )
    remote_calls: FairShare = field(
        default_factory=lambda: FairShare(max_running=4, max_visitors=1, charges_wall_time=True)
    )
    stops: FairShare = field(default_factory=lambda: FairShare(max_running=4, max_visitors=2))

    def choose_share(self, method: str, path: str) -> FairShare:
        if path.startswith(settings.STATIC_URL):
            return self.static
        if method == "POST":
            if stops_reply(path):
                return self.stops
            for pattern, share in (
                (LOGIN_PATHS, self.logins),
                (STOP_PATHS, self.stops),
                (REMOTE_CALL_PATHS, self.remote_calls),
            ):
                if pattern.fullmatch(path):
                    return share
        return self.pages if method in SAFE_METHODS else self.forms

    def build_client_key(self, share: FairShare, client: str) -> str:
        """Each kind has its own key, so that a provider that hangs delays no pages."""
        kind = next(kind.name for kind in fields(self) if getattr(self, kind.name) is share)
        return f"{kind} {client}"


class RequestQueueMiddleware:
    """An application whose requests wait for a slot of their client, and then for a slot of the
    process."""

    def __init__(
        self,
        app: ASGIApp,
        owners: CredentialOwnerCache = credential_owners,
        shares: SharesByKind | None = None,
        limiter: ClientLimiter | None = None,
    ) -> None:
        self._app = app
        self._owners = owners
        self._limiter = limiter or ClientLimiter()
        self._shares = shares or SharesByKind()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        with ExitStack() as turn:
            try:
                await self._acquire_slots(turn, scope)
            except ServerBusy:
                turn.close()
                await _send_busy_response(send)
                return

            start: list[dict[str, Any]] = []

            async def send_after_release(message: dict[str, Any]) -> None:
                # The first part of the body means that the work is done. The slot is released
                # before the part is sent, so that a client that does not read its response holds
                # none.
                if message["type"] == "http.response.start":
                    start.append(message)
                    return
                turn.close()
                while start:
                    await send(start.pop())
                await send(message)

            await self._app(scope, receive, send_after_release)

    async def _acquire_slots(self, slots: ExitStack, scope: dict[str, Any]) -> None:
        """Wait for a slot, which is released when the stack closes. Raises ServerBusy."""
        credential = find_credential(scope)
        share = self._shares.choose_share(scope["method"], scope["path"])
        client = await self._identify_client(scope, credential, share)
        name = self._shares.build_client_key(share, client.name)
        most = MAX_RUNNING_PER_ADDRESS if client.is_visitor else MAX_RUNNING_PER_USER
        await self._limiter.acquire_slot(name, most)
        slots.callback(self._limiter.release_slot, name)
        slots.callback(self._remember_owner, scope, credential)
        await share.acquire_slot(client)
        began = time.monotonic()

        def release_share() -> None:
            by_clock = time.monotonic() - began
            share.release_slot(
                client, by_clock if share.charges_wall_time else estimate_work_seconds(scope)
            )

        slots.callback(release_share)

    def _remember_owner(self, scope: Mapping[str, Any], credential: Credential | None) -> None:
        if credential and USER_ID_KEY in scope:
            self._owners.set_owner(credential, scope[USER_ID_KEY])

    async def _identify_client(
        self, scope: Mapping[str, Any], credential: Credential | None, share: FairShare
    ) -> Client:
        """A forged credential counts for its address. So does a valid one that this process does
        not know yet, unless its owner would then wait for visitors."""
        visitor = Client(f"address {get_rate_limit_address(scope)}", is_visitor=True)
        if share is self._shares.logins:
            visitor = identify_known_browser(scope) or visitor
        name = self._shares.build_client_key(share, visitor.name)
        is_crowded = (
            self._limiter.running_counts.get(name, 0) >= MAX_RUNNING_PER_ADDRESS
            or share.visitor_count >= share.max_visitors
            or share.running_count >= share.max_running
        )
        owner = self._owners.get_cached_owner(credential)
        if owner is None and is_crowded:
            with suppress(Error):  # the database is away
                owner = await self._owners.find_owner(credential)
        return visitor if owner is None else Client(f"user {owner}", False, user_id=owner)


def estimate_work_seconds(scope: Mapping[str, Any]) -> float:
    """CPU seconds of a request, in this thread and in others."""
    path = scope["path"]
    is_reply = scope["method"] == "POST" and (REPLY_PATHS.fullmatch(path) or starts_reply(path))
    return float(scope.get(CPU_SECONDS_KEY, 0.0)) + (REPLY_SECONDS if is_reply else 0.0)


def identify_known_browser(scope: Mapping[str, Any]) -> Client | None:
    """A known browser goes before strangers. Otherwise its owner would wait for each hash of a
    crowd of guessers."""
    known = find_oldest_account(get_cookie(scope["headers"], devices.COOKIE_NAME))
    if known is None:
        return None
    account, device = known  # another browser of the account may have an outdated cookie
    return Client(f"browser {device} of {account}", is_visitor=True, user_id=account)


async def _send_busy_response(send: Send) -> None:
    text = f"{BUSY_MESSAGE}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"retry-after", str(BUSY_RETRY_SECONDS).encode()),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def record_request_usage(get_response: GetResponse) -> GetResponse:
    """Tell `RequestQueueMiddleware` the CPU time of a request, and its user if the view has loaded
    one. This is the first middleware, and all of them run in the request's own thread."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        began = time.thread_time()
        try:
            return get_response(request)
        finally:
            if isinstance(request, ASGIRequest):
                scope = cast(dict[str, Any], request.scope)
                scope[CPU_SECONDS_KEY] = time.thread_time() - began
                scope |= _get_user_entry(request)

    return middleware


def _get_user_entry(request: HttpRequest) -> dict[str, Any]:
    if (program_owner := getattr(request, "token_user", None)) is not None:  # chat/api/auth.py
        return {USER_ID_KEY: program_owner.pk}
    # The public `request.user` would query the database for a user that no view has asked for.
    user = getattr(request, "_cached_user", None)
    if user is None:
        return {}
    is_over = request.session.session_key != request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    return {USER_ID_KEY: None if is_over else user.pk}
