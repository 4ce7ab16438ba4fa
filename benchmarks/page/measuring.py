"""Stream an answer into the benchmark page and read the cost from its trace.

Times are of the thread's own clock, which excludes other programs on the machine.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route, expect

from tools.static_site import Files

HERE = Path(__file__).resolve().parent
CATEGORIES = ["devtools.timeline", "blink.user_timing", "toplevel", "v8"]
SCRIPT_EVENTS = {
    "EvaluateScript",
    "FireAnimationFrame",
    "FireIdleCallback",
    "FunctionCall",
    "RunMicrotasks",
    "TimerFire",
}
TASK_EVENTS = {"RunTask", "ThreadControllerImpl::RunTask"}

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds. `frames` are the times of our own script, `tasks` those of the main thread's
    tasks; `writes` is the maximum number of writes of a frame."""

    frames: list[float]
    tasks: list[float]
    writes: int

    @property
    def script(self) -> float:
        return sum(self.frames)

    @property
    def p95(self) -> float:
        return sorted(self.frames)[int(len(self.frames) * 0.95)]

    @property
    def longest_task(self) -> float:
        return max(self.tasks)

    def __str__(self) -> str:
        return (
            f"script {self.script:5.0f} ms in {len(self.frames)} frames, p95 {self.p95:4.1f} ms, "
            f"longest {max(self.frames):4.0f} ms; longest task {self.longest_task:4.0f} ms, "
            f"{sum(task > 50 for task in self.tasks)} over 50 ms; "
            f"{self.writes} writes a frame at most"
        )


def measure(browser: Browser, address: str, answer: str, *, slower: float = 1) -> Cost:
    """Return the cost of four deltas a frame, on a processor that is slower by this factor."""
    with open_page(browser, address) as page:
        if slower != 1:
            session = page.context.new_cdp_session(page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
        browser.start_tracing(page=page, categories=CATEGORIES)
        result: dict[str, Any] = page.evaluate("(text) => measure(text)", answer)
        events = json.loads(browser.stop_tracing())["traceEvents"]
        return Cost(*read_times(events), writes=result["writes"])


def count_jumps(browser: Browser, address: str, answer: str) -> int:
    """Return how often a finished block moved or changed its size while the answer grew."""
    with open_page(browser, address) as page:
        jumps: int = page.evaluate("(text) => jumps(text)", answer)
        return jumps


def read_times(events: list[Event]) -> tuple[list[float], list[float]]:
    """Return the times of our script in each frame, and of the tasks, while the answer grew."""
    marks = sorted((e for e in events if e.get("name") in {"frame", "over"}), key=get_timestamp)
    assert marks, "the trace has no marks"
    starts = [mark["ts"] for mark in marks]
    thread = (marks[0]["pid"], marks[0]["tid"])
    thread_events = [e for e in events if (e["pid"], e["tid"]) == thread and "tdur" in e]
    script = list(iterate_outermost(e for e in thread_events if e["name"] in SCRIPT_EVENTS))
    tasks = [
        e for e in thread_events if e["name"] in TASK_EVENTS and starts[0] <= e["ts"] <= starts[-1]
    ]
    frames = [0.0] * (len(starts) - 1)
    for event in script:
        at = sum(start <= event["ts"] for start in starts) - 1
        if 0 <= at < len(frames):
            frames[at] += event["tdur"] / 1000
    return frames, [task["tdur"] / 1000 for task in tasks]


def iterate_outermost(events: Iterable[Event]) -> Iterator[Event]:
    end = 0
    for event in sorted(events, key=lambda e: (e["ts"], -e["dur"])):
        if event["ts"] >= end:
            end = event["ts"] + event["dur"]
            yield event


def get_timestamp(event: Event) -> int:
    ts: int = event["ts"]
    return ts


@contextmanager
def open_page(browser: Browser, address: str) -> Iterator[Page]:
    def script(route: Route) -> None:
        route.fulfill(path=HERE / "bench.js", content_type="text/javascript")

    Files.pages["/bench"] = (HERE / "page.html").read_bytes()
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800})
    try:
        page = context.new_page()
        page.route("**/bench.js", script)
        page.goto("/bench")
        expect(page.locator("body[data-ready]")).to_be_attached()
        yield page
    finally:
        context.close()
