"""A browser's own EventSource, without any code of ours, behind a proxy that cuts every second."""

from __future__ import annotations

from collections.abc import Callable
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
QUIET_MS = 2_500
"""More than twice the time after which a browser reconnects."""

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


def test_an_event_source_gets_the_journal_and_stops_asking_at_the_end(
    deployment: Deployment,
    fake: Fake,
    person: Person,
    open_page: Callable[..., Page],
    page_errors: PageErrors,
) -> None:
    page_errors.allow("ERR_")
    person.add_key("openai")
    behaviour = Behaviour.of(*(f"word {n}, " for n in range(100)), delay=0.05)
    fake.script(behaviour)
    with HttpProxy(deployment.webs[0].port, Faults(cut_events_after=CUT_SECONDS)) as proxy:
        page = open_page(person, base_url=proxy.url)
        page.goto(f"{proxy.url}/settings/replies/")
        stream = deployment.send(person, "Tell me.", model=MODEL)
        page.evaluate(READ_EVENTS, f"/api/streams/{stream}/events")
        until(lambda: read_result(page)["source"] == 2, within=30, what="the source to close")
        requests = len(proxy.event_requests)
        page.wait_for_timeout(QUIET_MS)
        assert len(proxy.event_requests) == requests
    result = read_result(page)
    rows = deployment.rows.chunks(stream)
    assert "".join(chunk["delta"] for chunk in result["chunks"]) == behaviour.text
    assert behaviour.text == "".join(row["delta"] for row in rows)
    firsts = [chunk["first"] for chunk in result["chunks"]]
    assert firsts == [0, *(chunk["index"] + 1 for chunk in result["chunks"][:-1])]
    assert result["chunks"][-1]["index"] == len(rows) - 1
    assert all(chunk["lastEventId"] == str(chunk["index"]) for chunk in result["chunks"])
    assert (result["snapshots"], result["ends"]) == (0, 1)
    assert requests > 3, "the response was never cut"
