"""Attacks by people with accounts on what they may write and read: drafts, versions, titles, lists
and long conversations."""

from __future__ import annotations

from uuid import uuid4

from tests.chaos.attack_modes.client import Attackers

LONG_TEXT = "- *a* `b` [c](d)\n" * 5_000
MANY_VERSIONS = 500


async def send_long_messages(attackers: Attackers) -> None:
    """M11: the longest messages with the longest system prompts to a model that works here."""
    form = {
        "text": "x" * 400_000,
        "model": "demo-fast",
        "system_prompt": "y" * 100_000,
        "max_tokens": "1",
        "request_id": str(uuid4()),
    }
    await attackers.send_request("a long message", "/c/", session=attackers.account, form=form)


async def send_growing_texts(attackers: Attackers) -> None:
    """M9: texts that are long to format, in the sender's own page."""
    chars = attackers.generator.choice((">", "|a", "\\(", "[", "- "))
    form = {"text": chars * 20_000, "model": "demo-fast", "request_id": str(uuid4())}
    await attackers.send_request("a nasty question", "/c/", session=attackers.account, form=form)


async def save_drafts(attackers: Attackers) -> None:
    version = next(attackers.numbers) + 1
    form = {
        "base": "0",
        "version": str(version),
        "writer": str(uuid4()),
        "text": LONG_TEXT,
    }
    path = f"/drafts/{uuid4()}/"
    await attackers.send_request("save a draft", path, session=attackers.account, form=form)


async def list_drafts(attackers: Attackers) -> None:
    await attackers.send_request("list drafts", "/drafts/", session=attackers.account)


async def create_versions(attackers: Attackers) -> None:
    """Ask for versions of one reply, up to 500."""
    if (chat := await attackers.get_chat(attackers.account)) is None:
        return
    for _ in range(MANY_VERSIONS):
        form = {"request_id": str(uuid4()), "model": "demo-fast"}
        path = f"/m/{chat.reply}/versions/"
        answer = await attackers.send_request("a version", path, session=chat.session, form=form)
        if "ersions/" in answer and " 429 " in answer[:20]:
            return


async def stop_and_continue(attackers: Attackers) -> None:
    if (chat := await attackers.get_chat(attackers.account)) is None:
        return
    await attackers.send_request("stop", f"/s/{chat.stream}/stop/", session=chat.session, form={})
    path = f"/m/{chat.reply}/continuations/"
    form = {"request_id": str(uuid4())}
    await attackers.send_request("continue", path, session=chat.session, form=form)


async def rename(attackers: Attackers) -> None:
    if (chat := await attackers.get_chat(attackers.account)) is None:
        return
    form = {"title": "T" * attackers.generator.choice((1, 200, 100_000))}
    await attackers.send_request("rename", f"/c/{chat.id}/title/", session=chat.session, form=form)


async def delete_and_restore(attackers: Attackers) -> None:
    """Delete and restore one conversation again and again, several at once."""
    if (chat := await attackers.get_chat(attackers.account)) is None:
        return
    verb = attackers.generator.choice(("deletion", "restoration", "restoration"))
    path = f"/c/{chat.id}/{verb}/"
    await attackers.send_request(f"{verb} of a chat", path, session=chat.session, form={})


async def pin_and_read(attackers: Attackers) -> None:
    if (chat := await attackers.get_chat(attackers.account)) is None:
        return
    pinned = attackers.generator.choice(("yes", "no"))
    path = f"/c/{chat.id}/pin/"
    await attackers.send_request("pin", path, session=chat.session, form={"pinned": pinned})
    path = f"/c/{chat.id}/reading/"
    await attackers.send_request("mark as read", path, session=chat.session, form={})


async def deepen_conversation(attackers: Attackers) -> None:
    """One long conversation, and its page."""
    if (chat := await attackers.get_chat(attackers.account)) is None:
        return
    form = {"text": "More", "model": "demo-fast", "request_id": str(uuid4())}
    path = f"/c/{chat.id}/messages/"
    await attackers.send_request("one more message", path, session=chat.session, form=form)
    await attackers.send_request("a long chat", f"/c/{chat.id}/", session=chat.session)


async def page_through_sidebar(attackers: Attackers) -> None:
    position = f"{attackers.generator.random()}_{uuid4()}"
    path = attackers.generator.choice(
        (f"/sidebar/?after={position}", f"/sidebar/?through={position}", "/sidebar/?q=" + "a" * 900)
    )
    await attackers.send_request("a page of the list", path, session=attackers.account)


async def open_many_tabs(attackers: Attackers) -> None:
    """All tabs of one person."""
    session = attackers.order.accounts[0]
    await attackers.send_request("one more tab", "/", session=session)


async def guess_ids(attackers: Attackers) -> None:
    """Pages, fragments and forms of conversations that don't exist."""
    path = attackers.generator.choice(
        (f"/c/{uuid4()}/", f"/m/{uuid4()}/", f"/c/{uuid4()}/earlier/?before={uuid4()}")
    )
    await attackers.send_request("a guessed id", path, session=attackers.account)
