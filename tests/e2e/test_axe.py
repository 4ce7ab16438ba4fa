"""axe finds nothing to say against any page, in any state of a reply, in either theme, on a desk
and on a phone. The administration's pages are Django's own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Complaints
from tests.e2e.deployment import Deployment
from tests.e2e.person import Person
from tests.e2e.replies import ask, finished
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
LOOKS = [(scheme, size) for size in (DESK, PHONE) for scheme in ("light", "dark")]
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}  # all that a theme changes
LIVES = "() => !document.querySelector('.composer') || customElements.get('live-reply')"
PROSE = (
    "# Heading\n\nText with `code`, $x^2$ and [a link](https://example.org).\n\n"
    "- [x] done\n- [ ] not\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n"
    "```python\nfor tide in range(3):\n    print(tide)  # a remark\n```\n\n> Quoted.\n\n"
)


def violations(page: Page, name: str) -> Iterator[str]:
    page.wait_for_function(LIVES)
    for scheme, size in LOOKS:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size(size)  # type: ignore[arg-type]
        for violation in AXE.run(page, options=COLOURS if scheme == "dark" else {}).response[
            "violations"
        ]:
            for node in violation["nodes"]:
                where = f"{name}, {scheme}, {size['width']}: {violation['id']}"
                yield f"{where}: {node['html'][:160]} {reason(node)}"


def reason(node: dict[str, Any]) -> str:
    return "; ".join(one["message"] for one in [*node["any"], *node["all"], *node["none"]])


@pytest.mark.still
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


@pytest.mark.still
def test_axe_finds_nothing_on_a_form_that_was_open_for_too_long(
    complaints: Complaints, deployment: Deployment, browser_context: Callable[..., Any]
) -> None:
    complaints.allow("403")
    deployment.person("owner")
    page = browser_context(base_url=deployment.base_url).new_page()
    page.goto("/accounts/signup/")
    page.context.clear_cookies()
    form = {"Email": "late@holdfast.test", "Password": "long-enough-9", "Password (again)": "x"}
    for label, value in form.items():
        page.get_by_label(label, exact=True).fill(value)
    page.locator("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="This page was open for too long")).to_be_visible()
    assert list(violations(page, "too late")) == []


@pytest.mark.still
@pytest.mark.parametrize(
    "path",
    [
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


def test_axe_finds_nothing_in_a_new_chat_and_what_opens_over_it(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"))
    found = [*violations(page, "a new chat")]
    page.get_by_role("button", name="Settings", exact=True).first.click()
    found += violations(page, "settings of a message")
    page.keyboard.press("Escape")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    page.get_by_role("button", name="Keyboard").click()
    found += violations(page, "the keyboard")
    page.keyboard.press("Escape")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    page.get_by_role("combobox", name="Model").click()
    expect(page.get_by_role("dialog", name="Pick a model")).to_be_visible()
    found += violations(page, "the models")
    assert found == []


def test_axe_finds_nothing_in_what_opens_over_a_chat(
    complaints: Complaints, deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    complaints.allow("WebSocket|401|Failed to load|ERR_")
    person = deployment.person("opener")
    page = open_page(person)
    ask(page, "Be brief", "demo-fast")
    reply = finished(page)
    reply.get_by_text("Details").click()
    found = [*violations(page, "details")]
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    row = page.get_by_role("list", name="Conversations").get_by_role("listitem").first
    row.get_by_role("link", name="More: Be brief").press("Enter")
    expect(page.get_by_role("dialog", name="Conversation")).to_be_visible()
    found += violations(page, "the menu of a chat")
    page.keyboard.press("Escape")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    page.get_by_role("link", name="Edit").click()
    found += violations(page, "a message being edited")
    page.context.route("**/messages/", lambda route: route.abort())
    ask_nothing(page, "This will not arrive")
    found += violations(page, "not sent")
    person.post("/accounts/logout/", {})
    expect(page.get_by_role("dialog", name="You are signed out")).to_be_visible()
    found += violations(page, "signed out")
    assert found == []


def ask_nothing(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message", exact=True).fill(text)
    page.get_by_role("textbox", name="Message", exact=True).press("Enter")
    expect(page.get_by_text("Not sent.")).to_be_visible()


def test_axe_would_find_something(deployment: Deployment, open_page: Callable[..., Page]) -> None:
    page = open_page(deployment.person("owner"))
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert any("button-name" in one for one in violations(page, "a button without a name"))
