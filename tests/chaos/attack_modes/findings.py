"""The findings of high rank: rendering, poisoned cookies, drafts of visitors, queues, guesses, a
stolen session, sign-ups, and large frames and bodies."""

from __future__ import annotations

import asyncio
import base64
from uuid import uuid4

from tests.chaos.attack_modes.client import WRITE_BYTES, Attackers

BIG_FIELD_CHARS = 400_000
DRAFT_FIELDS = ("text", "model", "system_prompt", "max_tokens", "temperature", "reasoning_effort")
BIG_FRAME_BYTES = 15_900_000
BIG_BODY_BYTES = 50_000_000
MESSAGES_PER_ACCOUNT = 30
POISONED_COOKIES = (
    '"\\000' + "a" * 32 + '"',
    '"\\377\\376"',
    "x" * 4_000,
    "a" * 31 + "%00",
    '"\\047 OR 1=1"',
)


async def view_nasty_replies(attackers: Attackers) -> None:
    account, path = attackers.generator.choice(attackers.order.targets)
    session = attackers.order.accounts[account]
    await attackers.send_request("view a nasty reply", path, session=session)


async def send_poisoned_handshake(attackers: Attackers) -> None:
    cookie = attackers.generator.choice(POISONED_COOKIES)
    async with (
        attackers.open_socket("poisoned handshake", cookie) as (reader, _),
        asyncio.timeout(5),
    ):
        await reader.read(WRITE_BYTES)


async def request_poisoned_page(attackers: Attackers) -> None:
    cookie = attackers.generator.choice(POISONED_COOKIES)
    await attackers.send_request("poisoned page", "/", session=cookie)


async def leave_big_draft(attackers: Attackers) -> None:
    octets = attackers.generator.randbytes(BIG_FIELD_CHARS * 3 // 4)
    form = dict.fromkeys(DRAFT_FIELDS, base64.b64encode(octets).decode()[:BIG_FIELD_CHARS])
    await attackers.send_request("big draft", _pick_draft_path(attackers), form=form)


async def leave_small_draft(attackers: Attackers) -> None:
    form = {"text": attackers.generator.randbytes(400).hex(), "model": "demo"}
    await attackers.send_request("small draft", _pick_draft_path(attackers), form=form)


def _pick_draft_path(attackers: Attackers) -> str:
    paths = ["/c/", f"/c/{uuid4()}/messages/", f"/m/{uuid4()}/versions/"]
    return attackers.generator.choice(paths)


async def queue_replies(attackers: Attackers) -> None:
    account = attackers.account
    for _ in range(MESSAGES_PER_ACCOUNT):
        text = " ".join(["Tell me everything you know, at length."] * 20)
        form = {"text": text, "model": "demo-slow", "request_id": str(uuid4())}
        await attackers.send_request("queue a reply", "/c/", session=account, form=form)


async def guess_password(attackers: Attackers) -> None:
    form = {"login": attackers.order.victim, "password": f"guess-{next(attackers.numbers)}"}
    host = f"127.0.0.1:{1_000 + next(attackers.numbers) % 60_000}"
    await attackers.send_request("guess a password", "/accounts/login/", form=form, host=host)


async def take_over_account(attackers: Attackers) -> None:
    mine = f"attacker{next(attackers.numbers)}@evil.test"
    for form in (
        {"action_add": "", "email": mine},
        {"action_primary": "", "email": mine},
        {"action_remove": "", "email": attackers.order.victim},
    ):
        label = f"take the account: {next(iter(form))}"
        stolen = attackers.order.stolen
        await attackers.send_request(label, "/accounts/email/", session=stolen, form=form)
    label = "take the account: reset"
    await attackers.send_request(label, "/accounts/password/reset/", form={"email": mine})


async def sign_up(attackers: Attackers) -> None:
    password = f"kelp-{attackers.generator.random()}"
    form = {"email": f"flood-{uuid4().hex}@evil.test", "password1": password}
    await attackers.send_request("sign up", "/accounts/signup/", form=form)


async def hold_frame(attackers: Attackers) -> None:
    await _hold_frame(attackers, "big frame", "")


async def hold_frame_signed_in(attackers: Attackers) -> None:
    await _hold_frame(attackers, "big frame, signed in", attackers.account)


async def _hold_frame(attackers: Attackers, label: str, session: str) -> None:
    """Send a frame without its last byte, and hold the socket."""
    async with attackers.open_socket(label, session) as (reader, writer):
        writer.write(b"\x81\xff" + BIG_FRAME_BYTES.to_bytes(8, "big") + b"\0\0\0\0")
        for _ in range(BIG_FRAME_BYTES // WRITE_BYTES):
            writer.write(b"x" * WRITE_BYTES)
            await writer.drain()
        await attackers.read_to_end(label, reader, 10)


async def hold_socket(attackers: Attackers) -> None:
    async with attackers.open_socket("idle socket", "") as (reader, _):
        await attackers.read_to_end("idle socket", reader, 20)


async def hold_headers(attackers: Attackers) -> None:
    async with attackers.connect() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        await attackers.read_to_end("unfinished headers", reader, 30)


async def send_big_body(attackers: Attackers) -> None:
    path = attackers.generator.choice(["/c/", "/healthz", "/accounts/login/"])
    async with attackers.connect() as (reader, writer):
        writer.write(attackers.build_head("POST", path, length=BIG_BODY_BYTES))
        for _ in range(BIG_BODY_BYTES // WRITE_BYTES + 1):
            writer.write(b"x" * WRITE_BYTES)
            await writer.drain()
        await attackers.record_response("big body", reader)
