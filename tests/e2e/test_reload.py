"""A reply survives a reload: the first promise, in two browsers, byte for byte."""

from __future__ import annotations

import random
from collections.abc import Callable
from uuid import UUID

from playwright.sync_api import Page, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.replies import (
    copy_newest_reply,
    find_newest_reply,
    read_conversation_path,
    read_stream_id,
    send_message,
    wait_for_reply,
)
from tools.deployment.deployment import Deployment
from tools.deployment.tcp_proxy import Line
from tools.fake_provider import Behaviour, Fake, Piece
from tools.waiting import until

HELD_AFTER = (400, 1100, 1990)


WORDS = (
    "tide ", "kelp", "e\u0301", "o\u0308 ", "\r\n", "\n\n", "**bold", "** ", "`code", "` ",
    "- item\n", "1. one\r\n", "| a | b |\n|---|---|\n", "```python\n", "print('x')\n", "```\n",
    "# Head\n", "日本語", "العربية ", "👩\u200d🚀", "<b>raw</b> ", "&amp; ", "\t", "  \n",
)  # fmt: skip
EMOJI_HALVES = ("\ud83c", "\udf0a")  # of one emoji


def build_difficult_pieces() -> tuple[Piece, ...]:
    """Return about 100 KB in 2,000 deltas: emoji cut in half, marks apart from their letters, CRLF,
    Markdown of every kind, begun in one delta and ended in another."""
    dice = random.Random(1821)
    texts: list[str] = []
    while len(texts) < 1_998:
        texts += EMOJI_HALVES if dice.random() < 0.02 else ["".join(dice.choices(WORDS, k=10))]
    return tuple(Piece(text) for text in [*texts, "the end.\r\n"])


def test_a_reply_survives_reloads_and_a_lost_network(
    deployment: Deployment, fake: Fake, open_page: Callable[..., Page], page_errors: PageErrors
) -> None:
    page_errors.allow("ERR_|WebSocket|Failed to (load|fetch)")
    behaviour = Behaviour(build_difficult_pieces(), delay=0.004, hold_after=HELD_AFTER)
    assert 90_000 < len(behaviour.text.encode()) < 130_000
    fake.script(behaviour)
    owner = deployment.person("owner")
    owner.add_key("openai")
    first = open_page(owner)
    send_message(first, "Tell me everything about the tide.")
    path = read_conversation_path(first)
    stream = read_stream_id(first)
    with Line(deployment.web.port) as line:
        second = open_page(owner, path, base_url=line.url)
        expect(find_newest_reply(second)).to_have_attribute("aria-busy", "true")

        wait_until_held(fake, HELD_AFTER[0])
        fake.release()
        first.reload()
        assert read_stream_id(first) == stream
        line.cut()

        wait_until_held(fake, HELD_AFTER[1])
        fake.release()
        first.reload()
        assert read_stream_id(first) == stream
        line.mend()

        wait_until_held(fake, HELD_AFTER[2])
        fake.release()
        first.reload()

        wait_for_reply(first)
        wait_for_reply(second)
        assert len(fake.requests()) == 1
        assert deployment.rows.stream(stream)["state"] == "completed"
        expected = behaviour.text.encode()
        assert deployment.rows.text(stream).encode() == expected
        assert deployment.rows.message(stream)["content"].encode() == expected
        for page in (first, second):
            assert copy_newest_reply(page).encode() == expected
        assert read_text(first) == read_text(second)


def wait_until_held(fake: Fake, sent: int) -> None:
    fake.wait(
        lambda records: bool(records) and records[0].state == "held" and records[0].sent == sent, 30
    )


def read_text(page: Page) -> str:
    """Return the text of the reply, the same with and without highlighted code."""
    return until(lambda: find_newest_reply(page).locator(".prose").last.inner_text())


def test_the_text_so_far_is_in_the_first_paint(deployment: Deployment, fake: Fake) -> None:
    behaviour = Behaviour.of("The moon ", "pulls, ", "and the sea ", "follows.", hold_after=2)
    fake.script(behaviour)
    owner = deployment.person("owner")
    owner.add_key("openai")
    stream = deployment.send(owner, "Why?", model="gpt-5.5")
    until(lambda: deployment.rows.text(stream) == "The moon pulls, ")
    conversation = UUID(str(deployment.rows.message(stream)["conversation_id"]))
    page = owner.get(f"/c/{conversation}/").text
    assert "The moon pulls," in page
    assert f'data-stream="{stream}"' in page
    fake.release()
    until(lambda: deployment.rows.stream(stream)["state"] == "completed")
    assert "and the sea follows." in owner.get(f"/c/{conversation}/").text
