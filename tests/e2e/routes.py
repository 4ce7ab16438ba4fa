"""Answers a page's requests in place of the server."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, Route

PROBE = "/healthz"  # the server answers it, too


def intercept(page: Page, pattern: str, answer: Callable[[Route], object]) -> None:
    """Call `page.route` for an open page.

    Chromium notifies the page asynchronously: without this wait, one request in 300 that was sent
    right after `page.route` went to the server.
    """
    arrived: list[Route] = []

    def answer_probe(route: Route) -> None:
        arrived.append(route)
        route.fulfill(status=204)

    page.route(f"**{PROBE}", answer_probe)
    page.route(pattern, answer)
    while not arrived:
        page.evaluate("path => fetch(path).then(() => null)", PROBE)
    page.unroute(f"**{PROBE}")
