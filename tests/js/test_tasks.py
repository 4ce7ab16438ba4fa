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
from tests.js.test_calm import Growing
from tests.nasty import NASTY
from tools.static_site import Files

MOST = 200
"""Milliseconds of one task."""
CHUNK = 4_000
CATEGORIES = ["devtools.timeline", "toplevel", "blink.user_timing"]
TASK = {"RunTask", "ThreadControllerImpl::RunTask"}
MARK = "performance.mark('traced')"

# Nothing that costs the page much itself, as looking for a button by its name would.
UNTIL = """(selector) => new Promise((done) => {
    const look = () => document.querySelector(selector) ? done() : setTimeout(look, 50);
    look();
})"""

Event = dict[str, Any]


@dataclass
class Task:
    """Milliseconds; `parts` are the longest within it."""

    thread: float
    wall: float
    parts: str

    def __str__(self) -> str:
        return f"{self.thread:4.0f} ({self.wall:4.0f})"


@dataclass
class Trace:
    longest: Task | None = None


class traced:
    """A stretch of a page's life, and the longest task of its main thread in it."""

    def __init__(self, browser: Browser, page: Page) -> None:
        self.browser, self.page = browser, page
        self.trace = Trace()

    def __enter__(self) -> Trace:
        self.browser.start_tracing(page=self.page, categories=CATEGORIES)
        return self.trace

    def __exit__(self, *error: object) -> None:
        self.page.evaluate(MARK)
        events = json.loads(self.browser.stop_tracing())["traceEvents"]
        self.trace.longest = longest(events)


def longest(events: list[Event]) -> Task:
    mark = next(e for e in events if e.get("name") == "traced")
    mine = [e for e in events if (e["pid"], e["tid"]) == (mark["pid"], mark["tid"]) and "tdur" in e]
    task = max((e for e in mine if e["name"] in TASK), key=lambda e: e["tdur"])
    ends = task["ts"] + task["dur"]
    inner = [e for e in mine if task["ts"] <= e["ts"] < ends and e["name"] not in TASK]
    parts: dict[str, float] = {}
    for event in inner:
        parts[event["name"]] = parts.get(event["name"], 0) + event["tdur"] / 1000
    most = sorted(parts.items(), key=lambda part: -part[1])[:7]
    told = ", ".join(f"{name} {time:.0f}" for name, time in most if time > 10)
    return Task(task["tdur"] / 1000, task["dur"] / 1000, told)


@pytest.fixture
def fresh(page: Page) -> Iterator[Page]:
    yield page
    Files.pages.clear()


@pytest.mark.prove
@pytest.mark.parametrize("name", NASTY)
@pytest.mark.timeout(300)
def test_no_text_causes_a_long_task(name: str, browser: Browser, fresh: Page) -> None:
    text = NASTY[name]
    growing = Growing(fresh)
    with traced(browser, fresh) as live:
        for at in range(0, len(text), CHUNK):
            delta = text[at : at + CHUNK] if at else "\n\n" + text[:CHUNK]
            growing.index += 1
            growing.text += delta
            frame = {"type": "chunk", "first": growing.index, "index": growing.index}
            growing.send(frame | {"kind": "text", "delta": delta})
        fresh.wait_for_timeout(300)
    with traced(browser, fresh) as over:
        finish(fresh, growing)
        settle(fresh)
    ended = replace(growing.answer, state="completed", text=growing.text, index=growing.index)
    with traced(browser, fresh) as reload:
        show(fresh, growing, ended)
        settle(fresh)
        fresh.evaluate("scrollTo(0, document.body.scrollHeight)")
        settle(fresh)
    with traced(browser, fresh) as taken:
        show(fresh, growing, replace(ended, state="running"))
        fresh.evaluate(UNTIL, "live-reply .caret")
        settle(fresh)
    stages = {"live": live, "end": over, "reload": reload, "reload live": taken}
    tasks = {stage: trace.longest for stage, trace in stages.items() if trace.longest}
    print(f"\n{name:28}", *(f"{stage} {task}" for stage, task in tasks.items()))
    for stage, task in tasks.items():
        if task.thread > MOST / 2:
            print(f"    {stage}: {task.parts}")
    assert {stage: str(task) for stage, task in tasks.items() if task.thread > MOST} == {}


def finish(page: Page, growing: Growing) -> None:
    ended = replace(growing.answer, state="completed", text=growing.text)
    body = growing.rendered(ended)
    page.route("**/m/*/", lambda route: route.fulfill(body=body))
    over = {"type": "end", "state": "completed", "next": growing.index + 1}
    growing.send(over | {"finish_reason": "stop", "error": None})
    page.evaluate(UNTIL, ".message-footer [formaction*='/versions/']")


def show(page: Page, growing: Growing, answer: Any) -> None:
    with override_settings(STORAGES=PLAIN_STORAGES, STATIC_URL="/static/"):
        Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", (growing.question, answer))
    page.goto(CHAT)


def settle(page: Page) -> None:
    """Until what is in sight was made nicer."""
    for _ in range(3):
        page.wait_for_timeout(100)
        page.evaluate("() => new Promise((done) => requestIdleCallback(done))")
