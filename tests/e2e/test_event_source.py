"""A browser's own EventSource, without any code of ours, behind a proxy that cuts every second."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import PageErrors
from tools.deployment.deployment import Deployment
from tools.deployment.http_proxy import Faults, HttpProxy
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

pytestmark = pytest.mark.page

MODEL = "gpt-5.5"
CUT_SECONDS = 1.0
HOLDS = (25, 50, 75)
"""Words after which the reply waits until the line was cut once more."""
CLOSED = 2
"""The `readyState` of a source that never asks again."""

READ_EVENTS = """
(path) => {
  const read = (globalThis.read = { chunks: [], snapshots: 0, ends: 0 });
  const source = (read.source = new EventSource(path));
  source.addEventListener("chunk", ({ data, lastEventId }) =>
    read.chunks.push({ ...JSON.parse(data), lastEventId }));
  source.addEventListener("snapshot", () => read.snapshots++);
  source.addEventListener("end", () => read.ends++);
}
"""


def read_result(page: Page) -> dict[str, Any]:
    code = "() => ({ ...globalThis.read, source: globalThis.read.source.readyState })"
    found: dict[str, Any] = page.evaluate(code)
    return found


def has_requests(proxy: HttpProxy, count: int) -> bool:
    return len(proxy.event_requests) >= count


def test_an_event_source_gets_the_journal_and_stops_asking_at_the_end(
    deployment: Deployment,
    fake: Fake,
    person: Person,
    open_page: Callable[..., Page],
    page_errors: PageErrors,
) -> None:
    page_errors.allow("ERR_")
    person.add_key("openai")
    words = [f"word {n}, " for n in range(100)]
    behaviour = Behaviour.of(*words, delay=0.05, hold_after=HOLDS)
    fake.script(behaviour)
    with HttpProxy(deployment.webs[0].port, Faults(cut_events_after=CUT_SECONDS)) as proxy:
        page = open_page(person, base_url=proxy.url)
        page.goto(f"{proxy.url}/settings/replies/")
        stream = deployment.send(person, "Tell me.", model=MODEL)
        path = f"/api/streams/{stream}/events"
        statuses: list[int] = []
        page.on("response", lambda got: statuses.append(got.status) if path in got.url else None)
        page.evaluate(READ_EVENTS, path)
        for cuts in range(1, len(HOLDS) + 1):
            until(partial(has_requests, proxy, cuts + 1), what="a request after a cut")
            until(fake.release, what="a reply that waits")
        # Playwright passes responses on while it evaluates.
        until(
            lambda: read_result(page)["source"] == CLOSED and 204 in statuses,
            within=30,
            what="the answer that the reply is over and was read, and a closed source",
        )
    result = read_result(page)
    rows = deployment.rows.chunks(stream)
    assert "".join(chunk["delta"] for chunk in result["chunks"]) == behaviour.text
    assert behaviour.text == "".join(row["delta"] for row in rows)
    firsts = [chunk["first"] for chunk in result["chunks"]]
    assert firsts == [0, *(chunk["index"] + 1 for chunk in result["chunks"][:-1])]
    assert result["chunks"][-1]["index"] == len(rows) - 1
    assert all(chunk["lastEventId"] == str(chunk["index"]) for chunk in result["chunks"])
    assert result["snapshots"] == 0
    assert result["ends"] <= 1, "none if the line was cut between the last chunk and the end"
    assert statuses[-1] == 204, "it asked again"
