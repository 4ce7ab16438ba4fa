"""axe finds no fault on any page, in any state of a reply, in both themes, on a desktop and a
phone. The admin's pages are Django's own."""

import sys
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4
from zlib import crc32

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PageErrors
from tests.e2e.replies import (
    find_newest_reply,
    read_conversation_path,
    send_message,
    wait_for_reply,
)
from tests.e2e.routes import intercept
from tests.e2e.states import (
    ENDED_STATES,
    LONG_WORD,
    RUNNING_STATES,
    WIDE_REPLY,
    RunningState,
    build_cases,
    end_reply,
    find_reply_in_state,
    mark_for_prove,
    start_reply,
    stop_replies,
)
from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.deployment.tcp_proxy import Line
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

pytestmark = [
    pytest.mark.page,
    pytest.mark.parametrize("deployment", ["embedded"], indirect=True),
    pytest.mark.timeout(240),
]

AXE = Axe()
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
APPEARANCES = [(scheme, size) for size in (DESK, PHONE) for scheme in ("light", "dark")]
ALL = {
    "rules": {"target-size": {"enabled": True}},  # of WCAG 2.2, and off by itself
    "resultTypes": ["violations"],  # and nothing to tell of what is good
}
IS_READY = "() => !document.querySelector('.composer') || customElements.get('live-reply')"


@pytest.fixture(autouse=True, params=["one", pytest.param("others", marks=pytest.mark.prove)])
def choose_appearances(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs with one theme and size, always the same, and leaves the others to `make
    prove`."""
    name = request.node.name.replace(request.param, "")
    chosen = APPEARANCES[crc32(name.encode()) % len(APPEARANCES)]
    others = [look for look in APPEARANCES if look != chosen]
    chosen_appearances = [chosen] if request.param == "one" else others
    monkeypatch.setattr(sys.modules[__name__], "tested_appearances", chosen_appearances)


tested_appearances: list[tuple[str, Any]] = []


def find_violations(page: Page, name: str) -> Iterator[str]:
    page.wait_for_function(IS_READY)
    for scheme, size in tested_appearances:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size(size)
        for violation in AXE.run(page, options=ALL).response["violations"]:
            for node in violation["nodes"]:
                where = f"{name}, {scheme}, {size['width']}: {violation['id']}"
                yield f"{where}: {node['html'][:160]} {format_violation(node)}"


def format_violation(node: dict[str, Any]) -> str:
    return "; ".join(
        violation["message"] for violation in [*node["any"], *node["all"], *node["none"]]
    )


@pytest.mark.still
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/accounts/login/",
        "/accounts/signup/",
        *mark_for_prove(
            "/accounts/password/reset/",
            "/accounts/password/reset/done/",
            "/accounts/password/reset/key/1-nothing/",
            "/nowhere/",
        ),
    ],
)
def test_axe_finds_nothing_on_pages_for_visitors(
    page_errors: PageErrors, deployment: Deployment, browser_context: Callable[..., Any], path: str
) -> None:
    page_errors.allow("404")
    deployment.person("owner")
    page = browser_context(base_url=deployment.base_url).new_page()
    page.goto(path)
    assert list(find_violations(page, path)) == []


@pytest.mark.still
def test_axe_finds_nothing_on_a_form_that_was_open_for_too_long(
    page_errors: PageErrors, deployment: Deployment, browser_context: Callable[..., Any]
) -> None:
    page_errors.allow("403")
    deployment.person("owner")
    page = browser_context(base_url=deployment.base_url).new_page()
    page.goto("/accounts/signup/")
    page.context.clear_cookies()
    form = {"Email": "late@holdfast.test", "Password": "long-enough-9"}
    for label, value in form.items():
        page.get_by_label(label, exact=True).fill(value)
    page.locator("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="This page has expired")).to_be_visible()
    assert list(find_violations(page, "too late")) == []


@pytest.mark.still
@pytest.mark.parametrize(
    "path",
    [
        "/settings/keys/",
        "/accounts/email/",
        *mark_for_prove(
            "/settings/replies/",
            "/settings/webhooks/",
            "/accounts/password/change/",
            "/accounts/2fa/",
            "/accounts/logout/",
            "/c/00000000-0000-0000-0000-000000000000/",
        ),
    ],
)
def test_axe_finds_nothing_on_the_pages_of_an_account(
    page_errors: PageErrors, deployment: Deployment, open_page: Callable[..., Page], path: str
) -> None:
    page_errors.allow("404")
    page = open_page(deployment.person("owner"), path)
    assert list(find_violations(page, path)) == []


@pytest.mark.parametrize("state", build_cases(RUNNING_STATES, "silent", "retrying"))
def test_axe_finds_nothing_in_any_state_of_a_running_reply(
    deployment: Deployment,
    shared_user: Person,
    fake: Fake,
    open_page: Callable[..., Page],
    state: RunningState,
) -> None:
    chat, streams = start_reply(deployment, shared_user, fake, state)
    page = open_page(shared_user, f"/c/{chat}/")
    find_reply_in_state(page, state)
    violations = list(find_violations(page, state.name))
    stop_replies(shared_user, fake, streams)
    assert violations == []


def test_axe_finds_nothing_however_a_reply_ended(
    deployment: Deployment, shared_user: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    chat: UUID | None = None
    for ending in ENDED_STATES:
        chat = end_reply(deployment, shared_user, fake, ending, chat)
    page = open_page(shared_user, f"/c/{chat}/")
    states = page.locator("article[data-role=assistant] .message-footer-row .state")
    expect(states).to_have_text([ending.status_text for ending in ENDED_STATES])
    for details in page.get_by_text("Details", exact=True).all():
        details.click()
    assert list(find_violations(page, "the ends of replies")) == []


@pytest.mark.prove
def test_axe_finds_nothing_in_content_wider_than_the_page(
    deployment: Deployment, shared_user: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(Behaviour.of(WIDE_REPLY))
    page = open_page(shared_user)
    send_message(page, LONG_WORD)
    wait_for_reply(page)
    expect(page.locator("math")).to_have_count(2)
    assert list(find_violations(page, "wide")) == []


@pytest.mark.prove
def test_axe_finds_nothing_in_a_reply_continued_after_a_crash(
    deployment: Deployment, shared_user: Person, fake: Fake, open_page: Callable[..., Page]
) -> None:
    fake.script(Behaviour.of("Half ", "never", hold_after=(1,)), Behaviour.of("and half."))
    stream = deployment.send(shared_user, "Say it.", model="gpt-5.5")
    until(lambda: deployment.rows.text(stream) == "Half ")
    deployment.web.kill()
    deployment.web.start()
    until(lambda: deployment.rows.stream(stream)["state"] == "completed", within=30)
    chat = UUID(str(deployment.rows.message(stream)["conversation_id"]))
    page = open_page(shared_user, f"/c/{chat}/")
    expect(page.get_by_role("note")).to_contain_text("reply continued")
    page.get_by_text("Details", exact=True).click()
    expect(page.get_by_text("once, after a crash")).to_be_visible()
    assert list(find_violations(page, "carried on")) == []


def test_axe_finds_nothing_while_the_network_is_away(
    page_errors: PageErrors,
    deployment: Deployment,
    shared_user: Person,
    fake: Fake,
    open_page: Callable[..., Page],
) -> None:
    page_errors.allow("WebSocket|ERR_|Failed to (load|fetch)")
    writing = next(state for state in RUNNING_STATES if state.name == "writing")
    chat, streams = start_reply(deployment, shared_user, fake, writing)
    with Line(deployment.web.port) as line:
        page = open_page(shared_user, f"/c/{chat}/", base_url=line.url)
        page.get_by_role("textbox", name="Message", exact=True).fill("Half a thought")
        page.wait_for_function(IS_READY)
        line.cut()
        expect(page.get_by_role("status").first).to_have_text("Reconnecting. Your draft is saved.")
        violations = list(find_violations(page, "reconnecting"))
        page.context.set_offline(True)
        expect(page.get_by_role("status").first).to_have_text(
            "You’re offline. Your draft is saved."
        )
        violations += find_violations(page, "offline")
    stop_replies(shared_user, fake, streams)
    assert violations == []


def test_axe_finds_nothing_in_a_new_chat_and_its_dialogs(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"))
    violations = [*find_violations(page, "a new chat")]
    page.get_by_role("button", name="Chat settings", exact=True).first.click()
    violations += find_violations(page, "settings of a message")
    page.keyboard.press("Escape")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    page.get_by_role("button", name="Keyboard shortcuts").click()
    violations += find_violations(page, "the keyboard")
    page.keyboard.press("Escape")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    page.get_by_role("combobox", name="Model").click()
    expect(page.get_by_role("dialog", name="Choose a model")).to_be_visible()
    violations += find_violations(page, "the models")
    assert violations == []


def test_axe_finds_nothing_in_the_dialogs_of_a_chat(
    page_errors: PageErrors, deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page_errors.allow("WebSocket|401|Failed to load|ERR_")
    person = deployment.person(f"opener-{uuid4().hex[:8]}")  # signed out at the end
    page = open_page(person)
    send_message(page, "Be brief", "demo-fast")
    reply = wait_for_reply(page)
    reply.get_by_text("Details").click()
    violations = [*find_violations(page, "details")]
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    row = page.get_by_role("list", name="Chats").get_by_role("listitem").first
    row.get_by_role("link", name="More: Be brief").press("Enter")
    expect(page.get_by_role("dialog", name="Chat")).to_be_visible()
    violations += find_violations(page, "the menu of a chat")
    page.keyboard.press("Escape")
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    page.get_by_role("link", name="Edit").click()
    violations += find_violations(page, "a message being edited")
    page.keyboard.press("Escape")
    there = open_page(person, read_conversation_path(page))
    there.get_by_role("article").last.get_by_role("button", name="Regenerate").click()
    expect(page.get_by_role("alert")).to_contain_text("This chat continued in another tab")
    violations += find_violations(page, "stale")
    intercept(page, "**/messages/", lambda route: route.abort())
    send_without_reply(page, "This will not arrive")
    violations += find_violations(page, "not sent")
    person.post("/accounts/logout/", {})
    expect(page.get_by_role("dialog", name="You’re signed out")).to_be_visible()
    violations += find_violations(page, "signed out")
    assert violations == []


@pytest.mark.prove
def test_axe_finds_nothing_in_messages_with_versions(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"))
    question = page.get_by_role("article", name="You")
    send_message(page, "Be brief", "demo-fast")
    wait_for_reply(page)
    question.hover()
    question.get_by_role("link", name="Edit").click()
    page.locator("form.edit").get_by_role("button", name="Send").click()
    expect(question.get_by_text("2/2")).to_be_visible()
    wait_for_reply(page).get_by_role("button", name="Regenerate").click()
    expect(find_newest_reply(page).get_by_text("2/2")).to_be_visible()
    wait_for_reply(page)
    assert list(find_violations(page, "versions")) == []


def send_without_reply(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Message", exact=True).fill(text)
    page.get_by_role("textbox", name="Message", exact=True).press("Enter")
    expect(page.get_by_text("Not sent.")).to_be_visible()


TINY = """() => {
    for (const name of ["one", "two"]) {
        const made = Object.assign(document.createElement("button"), { ariaLabel: name });
        Object.assign(made.style, { width: "10px", height: "10px", background: "red" });
        document.querySelector("main").append(made);
    }
}"""


def test_axe_finds_a_planted_fault(deployment: Deployment, open_page: Callable[..., Page]) -> None:
    page = open_page(deployment.person("owner"))
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    page.evaluate(TINY)
    violations = list(find_violations(page, "buttons"))
    for rule in ("button-name", "target-size"):
        assert any(rule in violation for violation in violations)
