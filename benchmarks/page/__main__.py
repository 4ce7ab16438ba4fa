"""Measure the cost of a growing reply and a long conversation for the page, in Chromium: `python -m
benchmarks.page [shape …]`."""

import argparse
from collections.abc import Iterable

from playwright.sync_api import Browser, sync_playwright

from benchmarks.page import history, measuring
from benchmarks.page.answers import ANSWERS
from tools.deployment.deployment import Deployment
from tools.services import chromium
from tools.static_site import serve_static

HISTORY = "history"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    shapes = [*ANSWERS, HISTORY]
    parser.add_argument("shape", nargs="*", help=f"of {', '.join(shapes)}; all when none is named")
    parser.add_argument("--slower", type=float, nargs="*", default=[1.0, 4.0])
    options = parser.parse_args()
    unknown = set(options.shape) - set(shapes)
    if unknown:
        parser.error(f"there is no shape {', '.join(unknown)}; there are {', '.join(shapes)}")
    selected = options.shape or shapes
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.FLAGS)
        )
        measure_growing_replies(
            browser, [shape for shape in selected if shape != HISTORY], options.slower
        )
        if HISTORY in selected:
            print(f"{HISTORY:9} 1x  {measure_history(browser)} ms for the first screen of 1,000")
        browser.close()


def measure_growing_replies(
    browser: Browser, shapes: Iterable[str], slower: Iterable[float]
) -> None:
    with serve_static() as address:
        for shape in shapes:
            for factor in slower:
                cost = measuring.measure(browser, address, ANSWERS[shape](), slower=factor)
                print(f"{shape:9} {factor:.0f}x  {cost}", flush=True)
            jumps = measuring.count_jumps(browser, address, ANSWERS[shape]())
            print(f"{shape:9}     {jumps} jumps of finished blocks", flush=True)


def measure_history(browser: Browser) -> int:
    with Deployment("embedded") as deployment:
        reader = deployment.person("reader")
        address = history.create_conversation(deployment, reader)
        context = browser.new_context(base_url=reader.base_url)
        context.add_cookies(reader.browser_cookies())  # type: ignore[arg-type]
        page = context.new_page()
        page.goto("/")
        return history.measure_first_screen(page, address)


if __name__ == "__main__":
    main()
