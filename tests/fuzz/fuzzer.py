"""Sends malformed requests to every address, as a visitor, a user and an administrator, and reports
every server error."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import UUID

from asgiref.sync import sync_to_async
from django.contrib import admin

from tests.fuzz import nasty, sending
from tests.fuzz.people import People
from tests.fuzz.problems import ProblemHandler
from tests.fuzz.sending import RawRequest
from tests.fuzz.site import Address, Form, Page, find_read_names, list_addresses

TOKEN = "t" * 32
COMMON_NAMES = (
    "q",
    "o",
    "p",
    "e",
    "all",
    "next",
    "action",
    "_popup",
    "_to_field",
    "_changelist_filters",
)
METHODS = ("HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "X" * 300)
HEADERS = (
    "Host", "Origin", "Referer", "Content-Type", "Content-Length", "Accept", "Accept-Encoding",
    "Accept-Language", "Authorization", "Cookie", "If-None-Match", "If-Modified-Since", "Range",
    "User-Agent", "X-CSRFToken", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
    "X-Requested-With", "HX-Request", "HX-Boosted", "HX-Current-URL", "HX-Prompt", "HX-Target",
    "HX-Trigger", "HX-Trigger-Name", "HX-Current-URL-URI-AutoEncoded", "Triggering-Event",
    "Transfer-Encoding", "Content-Encoding", "Upgrade", "Forwarded", "X-HTTP-Method-Override",
)  # fmt: skip
BODIES = (
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-16",
    "application/x-www-form-urlencoded; charset=\xff",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=\xe9",
    "multipart/form-data; boundary=" + "b" * 500,
    "multipart/form-data; boundary=b; charset=unicode_escape",
    "multipart/form-data; boundary=b; charset=utf-7",
    "multipart/form-data; boundary=b; charset=base64",
    "multipart/form-data; boundary=b; charset=nothing",
    "multipart/form-data; boundary=b",
    "application/json",
    "text/plain",
    "",
)
STATIC = ("%00", "..%2f..%2fmanage.py", "%2e%2e/%2e%2e/", "x" * 5000, "%ff", "css/", "css/base.css")


def list_date_filters() -> list[str]:
    """Return the date filters of the lists of the admin."""
    fields = {model_admin.date_hierarchy for model_admin in admin.site._registry.values()}
    return [f"{name}__{part}" for name in fields if name for part in ("year", "month", "day")]


@dataclass
class Fuzzer:
    """One run with a seed; `failures` describes the findings, a line each."""

    application: Any
    seed: int
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.addresses: list[Address] = list_addresses()
        self.forms: dict[Any, Form] = {}
        self.names = sorted({*find_read_names(), *list_date_filters(), *COMMON_NAMES})
        self.people = People()
        self.known: dict[str, list[str]] = {}

    # People

    async def run(self, requests: int, sockets: int) -> None:
        await sync_to_async(self._restore_objects)()
        for number in range(requests):
            await self._try_request(number)
        for _ in range(sockets):
            await self._try_socket()

    def _restore_objects(self) -> None:
        self.people.restore()
        for ids in self.people.ids.values():
            for name, values in ids.items():
                known = self.known.setdefault(name, [])
                known.extend(value for value in values if value not in known)

    # Pages

    async def _try_request(self, number: int) -> None:
        role = self.random.choice(("anonymous", "person", "person", "administrator"))
        if number < len(self.addresses) * 2:  # each address once in its intended form
            role = ("person", "administrator")[number % 2]
            path = self._build_path(self.addresses[number // 2], odd=0)
            request = self._build_request("GET", path, role, odd=0)
        elif self.forms and self.random.random() < 0.5:
            request = self._fill_form(self.random.choice([*self.forms.values()]), role)
        else:
            request = self._build_random_request(role)
        await self._send(request, number)

    async def _send(self, request: RawRequest, number: int) -> None:
        with ProblemHandler() as problems:
            try:
                status, kind, text = await sending.send_http(self.application, request)
            except Exception as error:
                self.failures.append(f"{error!r}: {request}")
                return
        if status >= 500 or problems.records:
            messages = [logging.Formatter().format(record)[-1500:] for record in problems.records]
            self.failures.append(f"{status} {messages}: {request}")
        if kind.startswith("text/html") and status < 400:
            page = Page(request.target.partition("?")[0])
            page.feed(text)
            self.names = sorted({*self.names, *page.queries})
            for form in page.forms:
                self.forms.setdefault(form.kind, form)
        if request.method != "GET" or number % 20 == 0:
            await sync_to_async(self._restore_objects)()

    def _build_path(self, address: Address, odd: float) -> str:
        parts = {name: self._pick_part(name, odd) for name in address.names}
        path = address.template % parts if parts else address.template
        if self.random.random() < odd / 10:
            path += self.random.choice(("%00", "%ff", "/", "?", ";", "%2f.."))
        return path

    def _pick_part(self, name: str, odd: float) -> str:
        if name in self.known and self.random.random() >= odd:
            return self.random.choice(self.known[name])
        if self.random.random() < 0.3:
            return str(UUID(int=self.random.getrandbits(128)))
        return nasty.quote_or_spoil(self.random, nasty.pick_word(self.random)) or "x"

    def _build_random_request(self, role: str) -> RawRequest:
        path = self._build_path(self.random.choice(self.addresses), odd=0.3)
        if self.random.random() < 0.03:
            path = "/static/" + self.random.choice(STATIC)
        method = self.random.choice(("GET", "GET", "GET", "POST"))
        if self.random.random() < 0.05:
            method = self.random.choice(METHODS)
        if method == "POST" and self.random.random() < 0.5:
            kind = self.random.choice(BODIES)
            return self._build_request(
                method, path, role, body=nasty.pick_octets(self.random), kind=kind
            )
        return self._build_request(method, path + self._build_query(), role)

    def _build_query(self) -> str:
        count = self.random.choice((0, 1, 1, 2, 3))
        pairs = [
            f"{self._pick_name()}={nasty.quote_or_spoil(self.random, nasty.pick_word(self.random))}"
            for _ in range(count)
        ]
        return "?" + "&".join(pairs) if pairs else ""

    def _pick_name(self) -> str:
        if self.random.random() < 0.1:
            return nasty.quote_or_spoil(self.random, nasty.pick_word(self.random))
        return quote(self.random.choice(self.names))

    def _fill_form(self, form: Form, role: str) -> RawRequest:
        """Return a form with one or two of its fields malformed, or left out."""
        fields = [(name, value) for name, value in form.fields if name != "csrfmiddlewaretoken"]
        malformed = {self.random.randrange(len(fields)) for _ in range(2)} if fields else set()
        if self.random.random() < 0.1 and fields:
            fields.pop(malformed.pop())
        fields_to_send = [
            (name, nasty.pick_word(self.random) if index in malformed else value)
            for index, (name, value) in enumerate(fields)
        ]
        path = quote(form.action, safe="/%")
        if self.random.random() < 0.3:
            body, kind = (
                _encode_multipart(self.random, fields_to_send),
                self.random.choice(BODIES[-6:-3]),
            )
        else:
            body, kind = self._encode_fields(fields_to_send), BODIES[0]
        return self._build_request("POST", path, role, body=body, kind=kind)

    def _encode_fields(self, fields: Sequence[tuple[str, str]]) -> bytes:
        pairs = (
            f"{quote(name)}={nasty.quote_or_spoil(self.random, value)}" for name, value in fields
        )
        return "&".join(pairs).encode()

    def _build_request(
        self,
        method: str,
        target: str,
        role: str,
        *,
        body: bytes = b"",
        kind: str = "",
        odd: float = 1,
    ) -> RawRequest:
        cookies = [f"csrftoken={TOKEN}", f"sessionid={self.people.sessions[role]}"]
        headers = {"Host": b"127.0.0.1:8000", "X-CSRFToken": TOKEN.encode()}
        if kind:
            headers["Content-Type"] = kind.encode("latin-1")
        if body:
            headers["Content-Length"] = str(len(body)).encode()
        if self.random.random() < odd * 0.3:
            headers["HX-Request"] = b"true"
        if self.random.random() < odd * 0.2:
            names = ("messages", "csrftoken", "sessionid", "theme", "type")
            value = nasty.build_header(self.random).decode("latin-1")
            cookies.append(f"{self.random.choice(names)}={value}")
        headers["Cookie"] = "; ".join(cookies).encode("latin-1")
        for _ in range(self.random.choice((0, 0, 1, 2)) if odd else 0):
            headers[self.random.choice(HEADERS)] = nasty.build_header(self.random)
        raw = [(name.lower().encode(), value) for name, value in headers.items()]
        address = f"10.{self.random.getrandbits(8)}.{self.random.getrandbits(8)}.7"
        return RawRequest(method, target, raw, body, address)

    # Sockets

    async def _try_socket(self) -> None:
        role = self.random.choice(("anonymous", "person", "person", "administrator"))
        path = self.random.choice(("/ws/", "/ws/", "/ws/", "/ws", "/", "/ws/x", "//ws/", "/ws/%00"))
        request = self._build_request("GET", path + self._build_query(), role, odd=0.5)
        origin = (b"origin", b"http://127.0.0.1:8000")
        if self.random.random() < 0.9:
            request = RawRequest("GET", request.target, [*request.headers, origin])
        streams = tuple(f'"{uuid}"' for uuid in self.known["uuid"])
        frames = [nasty.build_frame(self.random, streams) for _ in range(self.random.randrange(6))]
        with ProblemHandler() as problems:
            try:
                answers = await sending.open_socket(self.application, request, frames)
            except Exception as error:
                self.failures.append(f"{error!r}: {request} {frames!r:.1000}")
                return
        codes = [answer.get("code") for answer in answers]
        if problems.records or not answers or 1011 in codes or 4011 in codes:
            messages = [logging.Formatter().format(record)[-1500:] for record in problems.records]
            self.failures.append(f"{answers!r:.300} {messages}: {request} {frames!r:.1000}")


def _encode_multipart(random: Random, fields: Sequence[tuple[str, str]]) -> bytes:
    """Encode the fields as multipart/form-data, sometimes malformed."""
    parts = []
    for name, value in fields:
        extra = random.choice(("", "", "; filename=x", '; filename="\0"', "; filename*=utf-8''%00"))
        coding = random.choice(("", "", "", "Content-Transfer-Encoding: base64\r\n"))
        header = f'Content-Disposition: form-data; name="{name}"{extra}\r\n{coding}'
        parts.append(f"--b\r\n{header}\r\n{value}\r\n")
    end = random.choice(("--b--\r\n", "--b--\r\n", "--b\r\n", ""))
    return ("".join(parts) + end).encode(errors="surrogatepass")
