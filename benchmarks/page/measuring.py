"""Stream an answer into the benchmark page and bring back what it cost."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route, expect

from tests.js.conftest import Files

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds, of our own script unless it says otherwise."""

    frames: int
    script: float
    p95: float
    longest: float
    ending: float
    tasks: int
    longestTask: float
    writes: int
    shift: float
    characters: int

    def __str__(self) -> str:
        return (
            f"script {self.script:.0f} ms in {self.frames} frames, p95 {self.p95} ms, longest "
            f"{self.longest} ms, at the end {self.ending} ms; {self.tasks} long tasks, longest "
            f"{self.longestTask:.0f} ms; at most {self.writes} writes a frame; shift {self.shift}"
        )


def measure(browser: Browser, address: str, answer: str, *, slower: float = 1) -> Cost:
    """Four deltas a frame, on a processor that is `slower` times slower than this one."""
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800})
    try:
        page = context.new_page()
        opened(page)
        if slower != 1:
            session = context.new_cdp_session(page)
            session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
        cost: dict[str, Any] = page.evaluate("(text) => measure(text)", answer)
        return Cost(**cost)
    finally:
        context.close()


def opened(page: Page) -> None:
    def script(route: Route) -> None:
        route.fulfill(path=HERE / "bench.js", content_type="text/javascript")

    Files.pages["/bench"] = (HERE / "page.html").read_bytes()
    page.route("**/bench.js", script)
    page.goto("/bench")
    expect(page.locator("body[data-ready]")).to_be_attached()
