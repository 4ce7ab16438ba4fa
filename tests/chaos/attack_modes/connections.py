"""Attacks with connections, headers and static files. None of them needs an account."""

from __future__ import annotations

import asyncio

from tests.chaos.attack_modes.client import CSRF_TOKEN, Attackers

STATIC_PATH = "/static/css/base.css"
LANGUAGES = ("x" * 5_000, "de-" * 1_500, "en;q=0.1," * 700, "*;q=" + "9" * 900, "\x7f")
TIMEZONES = ("Europe/Berlin", "../../etc/passwd", "x" * 3_000, "Etc/GMT+99", "%00")


async def send_slow_body(attackers: Attackers) -> None:
    """A byte every second."""
    async with attackers.connect() as (reader, writer):
        writer.write(attackers.build_head("POST", "/accounts/login/", length=100_000))
        for _ in range(30):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(1)
        await attackers.record_response("a slow body", reader)


async def read_page_slowly(attackers: Attackers) -> None:
    """Ask for pages of an account, and read a few bytes of them."""
    async with attackers.connect() as (reader, writer):
        writer.write(attackers.build_head("GET", "/", attackers.account))
        for _ in range(20):
            if not await reader.read(10):
                break
            await asyncio.sleep(0.5)
        attackers.counts["a page was read slowly"] += 1


async def pipeline_requests(attackers: Attackers) -> None:
    keep = {"Connection": "keep-alive"}
    async with attackers.connect() as (reader, writer):
        head = attackers.build_head("GET", "/accounts/login/", headers=keep)
        writer.write(head * 30)
        await writer.drain()
        async with asyncio.timeout(10):
            await reader.read(200_000)
        attackers.counts["pipelined requests"] += 1


async def smuggle_request(attackers: Attackers) -> None:
    """Send requests that state their length in two ways. The second request must get no other
    answer than one by itself, and no place in another person's connection."""
    inner = attackers.build_head("GET", "/admin/", attackers.account)
    for headers in (
        {"Transfer-Encoding": "chunked", "Content-Length": "6"},
        {"Transfer-Encoding": "xchunked", "Content-Length": str(len(inner))},
        {"Transfer-Encoding": "chunked, identity", "Content-Length": "4"},
        {"Transfer-Encoding": "\x0bchunked", "Content-Length": "5"},
        {"Content-Length": "5, 6"},
        {"Content-Length": "+5"},
    ):
        async with attackers.connect() as (reader, writer):
            writer.write(attackers.build_head("POST", "/theme/", headers=headers))
            writer.write(b"0\r\n\r\n" + inner)
            async with asyncio.timeout(10):
                answer = await reader.read(300)
            status = answer[9:12].decode("latin-1")
            attackers.counts[f"a smuggled request: {status or 'closed'}"] += 1


async def send_giant_cookies(attackers: Attackers) -> None:
    count = attackers.generator.choice((10, 100, 1_000))
    cookie = "; ".join(f"c{n}={'x' * 30}" for n in range(count))
    headers = {"Cookie": f"csrftoken={CSRF_TOKEN}; {cookie}; messages={'[' * 2_000}"}
    await attackers.send_request("giant cookies", "/", headers=headers)


async def vary_language(attackers: Attackers) -> None:
    """Every value might be an entry of a cache."""
    language = attackers.generator.choice((*LANGUAGES, f"x-{next(attackers.numbers)}"))
    timezone = attackers.generator.choice(TIMEZONES)
    headers = {
        "Accept-Language": language,
        "Cookie": f"csrftoken={CSRF_TOKEN}; timezone={timezone}; theme={language[:50]}",
    }
    await attackers.send_request("an odd language", "/accounts/login/", headers=headers)


async def request_ranges(attackers: Attackers) -> None:
    headers = attackers.generator.choice(
        (
            {"Range": "bytes=" + ",".join(f"{n}-{n}" for n in range(1_000))},
            {"Range": "bytes=0-,0-,0-"},
            {"If-None-Match": '"x",' * 1_000},
            {"If-Modified-Since": "Thu, 99 Nov 99999 99:99:99 GMT"},
            {"Accept-Encoding": "gzip;q=0, " * 300},
        )
    )
    await attackers.send_request("an odd static file", STATIC_PATH, headers=headers)


async def request_catalogs(attackers: Attackers) -> None:
    path = f"/translations/x{next(attackers.numbers)}.js"
    await attackers.send_request("a catalogue", path)


async def request_unknown_pages(attackers: Attackers) -> None:
    path = "/" + "x" * attackers.generator.choice((10, 2_000)) + str(next(attackers.numbers))
    await attackers.send_request("an unknown page", path)


async def open_idle_connections(attackers: Attackers) -> None:
    async with attackers.connect() as (reader, _):
        await attackers.read_to_end("an idle connection", reader, 20)
