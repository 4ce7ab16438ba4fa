"""axe finds nothing to say against any page, in any state of a reply, in either theme, on a desk
and on a phone. The administration's pages are Django's own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.e2e.conftest import Complaints
from tests.e2e.deployment import Deployment
from tests.e2e.person import Person
from tests.fakes import Behaviour, Fake, Piece
from tests.fakes.behaviour import ErrorAnswer
from tests.waiting import until

pytestmark = [
    pytest.mark.parametrize("deployment", ["embedded"], indirect=True),
    pytest.mark.timeout(240),
]

MODEL = "gpt-5.5"
AXE = Axe()
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
LOOKS = (("light", DESK), ("dark", PHONE))
PROSE = (
    "# Heading\n\nText with `code`, $x^2$ and [a link](https://example.org).\n\n"
    "- [x] done\n- [ ] not\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n"
    "```python\nfor tide in range(3):\n    print(tide)  # a remark\n```\n\n> Quoted.\n\n"
)


def violations(page: Page, name: str) -> Iterator[str]:
    for scheme, size in LOOKS:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size(size)  # type: ignore[arg-type]
        for violation in AXE.run(page).response["violations"]:
            for node in violation["nodes"]:
                yield f"{name}, {scheme}: {violation['id']}: {node['html'][:160]} {reason(node)}"


def reason(node: dict[str, Any]) -> str:
    return "; ".join(one["message"] for one in [*node["any"], *node["all"], *node["none"]])


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/password/reset/",
        "/accounts/password/reset/done/",
        "/accounts/password/reset/key/1-nothing/",
        "/nowhere/",
    ],
)
def test_axe_finds_nothing_where_nobody_is_signed_in(
    complaints: Complaints, deployment: Deployment, browser_context: Callable[..., Any], path: str
) -> None:
    complaints.allow("404")
    deployment.person("owner")
    page = browser_context(base_url=deployment.base_url).new_page()
    page.goto(path)
    assert list(violations(page, path)) == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/settings/keys/",
        "/settings/replies/",
        "/accounts/email/",
        "/accounts/password/change/",
        "/accounts/logout/",
        "/c/00000000-0000-0000-0000-000000000000/",
    ],
)
def test_axe_finds_nothing_on_the_pages_of_an_account(
    complaints: Complaints, deployment: Deployment, open_page: Callable[..., Page], path: str
) -> None:
    complaints.allow("404")
    page = open_page(deployment.person("owner"), path)
    assert list(violations(page, path)) == []


@dataclass(frozen=True, slots=True)
class Case:
    """How a provider behaves, and what becomes of the reply."""

    name: str
    behaviour: Behaviour
    state: str
    stop: bool = False

    @property
    def written(self) -> int:
        """Deltas sent before it is held."""
        return self.behaviour.hold_after[0]


CASES = [
    Case("connecting", Behaviour.of("x", hold_after=(0,)), "running"),
    Case(
        "thinking",
        Behaviour((Piece("Hm. ", "reasoning"), Piece("So.")), hold_after=(1,)),
        "running",
    ),
    Case("writing", Behaviour.of(PROSE, "more", hold_after=(1,)), "running"),
    Case("completed", Behaviour((Piece("Hm. ", "reasoning"), Piece(PROSE))), "completed"),
    Case("stopped", Behaviour.of(PROSE, "more", hold_after=(1,)), "stopped", stop=True),
    Case("failed", Behaviour(error=ErrorAnswer(401)), "failed"),
    Case("interrupted", Behaviour.of(PROSE, "more", cut_after=1, times=None), "interrupted"),
    Case("truncated", Behaviour.of(PROSE, finish="max_output_tokens"), "completed"),
]


@pytest.fixture
def asker(deployment: Deployment) -> Person:
    person = deployment.person("asker")
    person.add_key("openai")
    return person


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_axe_finds_nothing_in_any_state_of_a_reply(
    deployment: Deployment,
    asker: Person,
    fake: Fake,
    open_page: Callable[..., Page],
    case: Case,
) -> None:
    fake.script(case.behaviour)
    stream = deployment.send(asker, "Why do tides lag?", model=MODEL)
    chat = UUID(str(deployment.rows.message(stream)["conversation_id"]))
    if case.state == "running" or case.stop:
        fake.wait_for("held")
        until(lambda: deployment.rows.stream(stream)["next_index"] >= case.written, within=30)
    if case.stop:
        asker.post(f"/s/{stream}/stop/", {})
    until(lambda: deployment.rows.stream(stream)["state"] == case.state, within=60)
    if case.name == "writing":  # and one that waits behind it
        deployment.send(asker, "And then?", model=MODEL, conversation=chat)
    page = open_page(asker, f"/c/{chat}/")
    found = list(violations(page, case.name))
    asker.post(f"/s/{stream}/stop/", {})
    fake.release()
    assert found == []


def test_axe_finds_nothing_in_what_opens(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"))
    page.get_by_role("button", name="Settings", exact=True).first.click()
    assert list(violations(page, "settings of a message")) == []


def test_axe_would_find_something(deployment: Deployment, open_page: Callable[..., Page]) -> None:
    page = open_page(deployment.person("owner"))
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert any("button-name" in one for one in violations(page, "a button without a name"))
