"""No text may hold up its page: how long the tasks of the main thread are while it comes, when it
ends, and when the page is loaded again. Times are of the thread's own clock, so that what other
programs do to the machine is not in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.test import override_settings
from playwright.sync_api import Browser, Page

from tests.factories import PLAIN_STORAGES
from tests.js.chat_page import CHAT, render_chat_page
from tests.js.test_calm import GrowingReply
from tests.nasty import NASTY
from tools.static_site import Files

MAX_TASK_MS = 200
"""Milliseconds of one task."""
CHUNK_CHARS = 4_000
CATEGORIES = ["devtools.timeline", "toplevel", "blink.user_timing"]
TASK = {"RunTask", "ThreadControllerImpl::RunTask"}
MARK = "performance.mark('traced')"

# Nothing that costs the page much itself, as looking for a button by its name would.
WAIT_FOR = """(selector) => new Promise((done) => {
    const look = () => document.querySelector(selector) ? done() : setTimeout(look, 50);
    look();
})"""

Event = dict[str, Any]


@dataclass
class Task:
    """Milliseconds; `parts` are the longest within it."""

    thread_ms: float
    wall_ms: float
    parts: str

    def __str__(self) -> str:
        return f"{self.thread_ms:4.0f} ({self.wall_ms:4.0f})"


@dataclass
class Trace:
    longest: Task | None = None


class TaskTrace:
    """Records a page for a while, and finds the longest task of its main thread."""

    def __init__(self, browser: Browser, page: Page) -> None:
        self.browser, self.page = browser, page
        self.trace = Trace()

    def __enter__(self) -> Trace:
        self.browser.start_tracing(page=self.page, categories=CATEGORIES)
        return self.trace

    def __exit__(self, *error: object) -> None:
        self.page.evaluate(MARK)
        events = json.loads(self.browser.stop_tracing())["traceEvents"]
        self.trace.longest = find_longest(events)


def find_longest(events: list[Event]) -> Task:
    mark = next(e for e in events if e.get("name") == "traced")
    thread_events = [
        e for e in events if (e["pid"], e["tid"]) == (mark["pid"], mark["tid"]) and "tdur" in e
    ]
    task = max((e for e in thread_events if e["name"] in TASK), key=lambda e: e["tdur"])
    ends = task["ts"] + task["dur"]
    inner = [e for e in thread_events if task["ts"] <= e["ts"] < ends and e["name"] not in TASK]
    parts: dict[str, float] = {}
    for event in inner:
        parts[event["name"]] = parts.get(event["name"], 0) + event["tdur"] / 1000
    most = sorted(parts.items(), key=lambda part: -part[1])[:7]
    description = ", ".join(f"{name} {time:.0f}" for name, time in most if time > 10)
    return Task(task["tdur"] / 1000, task["dur"] / 1000, description)


@pytest.fixture
def fresh_page(page: Page) -> Iterator[Page]:
    yield page
    Files.pages.clear()


@pytest.mark.prove
@pytest.mark.parametrize("name", NASTY)
@pytest.mark.timeout(300)
def test_no_text_causes_a_long_task(name: str, browser: Browser, fresh_page: Page) -> None:
    text = NASTY[name]
    growing_reply = GrowingReply(fresh_page)
    with TaskTrace(browser, fresh_page) as live:
        for at in range(0, len(text), CHUNK_CHARS):
            delta = text[at : at + CHUNK_CHARS] if at else "\n\n" + text[:CHUNK_CHARS]
            growing_reply.index += 1
            growing_reply.text += delta
            frame = {"type": "chunk", "first": growing_reply.index, "index": growing_reply.index}
            growing_reply.send(frame | {"kind": "text", "delta": delta})
        fresh_page.wait_for_timeout(300)
    with TaskTrace(browser, fresh_page) as ending:
        finish(fresh_page, growing_reply)
        wait_until_idle(fresh_page)
    ended = replace(
        growing_reply.answer, state="completed", text=growing_reply.text, index=growing_reply.index
    )
    with TaskTrace(browser, fresh_page) as reload:
        show_reply(fresh_page, growing_reply, ended)
        wait_until_idle(fresh_page)
        fresh_page.evaluate("scrollTo(0, document.body.scrollHeight)")
        wait_until_idle(fresh_page)
    with TaskTrace(browser, fresh_page) as reload_live:
        show_reply(fresh_page, growing_reply, replace(ended, state="running"))
        fresh_page.evaluate(WAIT_FOR, "live-reply .caret")
        wait_until_idle(fresh_page)
    stages = {"live": live, "end": ending, "reload": reload, "reload live": reload_live}
    tasks = {stage: trace.longest for stage, trace in stages.items() if trace.longest}
    print(f"\n{name:28}", *(f"{stage} {task}" for stage, task in tasks.items()))
    for stage, task in tasks.items():
        if task.thread_ms > MAX_TASK_MS / 2:
            print(f"    {stage}: {task.parts}")
    assert {stage: str(task) for stage, task in tasks.items() if task.thread_ms > MAX_TASK_MS} == {}


def finish(page: Page, growing_reply: GrowingReply) -> None:
    ended = replace(growing_reply.answer, state="completed", text=growing_reply.text)
    body = growing_reply.render(ended)
    page.route("**/m/*/", lambda route: route.fulfill(body=body))
    end_frame = {"type": "end", "state": "completed", "next": growing_reply.index + 1}
    growing_reply.send(end_frame | {"finish_reason": "stop", "error": None})
    page.evaluate(WAIT_FOR, ".message-footer [formaction*='/versions/']")


def show_reply(page: Page, growing_reply: GrowingReply, answer: Any) -> None:
    with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
        Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", (growing_reply.question, answer))
    page.goto(CHAT)


def wait_until_idle(page: Page) -> None:
    """Wait until the visible part of the page was enhanced."""
    for _ in range(3):
        page.wait_for_timeout(100)
        page.evaluate("() => new Promise((done) => requestIdleCallback(done))")
