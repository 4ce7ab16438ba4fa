"""Take the pictures in docs/images: the main pages in both themes, and on a phone.

    python -m tools.pictures            all of them
    python -m tools.pictures desktop    those whose name begins so

They are of a real deployment with the demo model, a reply in mid-sentence. Where emoji come out as
boxes, the machine lacks a font for them (Debian: fonts-noto-color-emoji).
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.services import chromium

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
LARGEST = 200 * 1024  # bytes; the pictures are cloned with the code
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
ASKED_BEFORE = (
    "Plan three quiet days in Lisbon",
    "Explain OAuth to a beginner",
    "What does a holdfast hold?",
)
QUESTION = "Why do tides lag the moon?"


@dataclass(frozen=True, slots=True)
class Picture:
    name: str
    show: Callable[[Page], None]
    size: dict[str, int]
    dark: bool = False
    signed_in: bool = True


def landing(page: Page) -> None:
    page.goto("/")


def new_chat(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("textbox", name="Message")).to_be_visible()


def keys(page: Page) -> None:
    page.goto("/settings/keys/")


def conversation(address: str) -> Callable[[Page], None]:
    def show(page: Page) -> None:
        page.goto(address)
        reply = page.locator("live-reply > .prose").last
        expect(reply.locator("table")).to_be_visible(timeout=120_000)
        expect(reply.locator("table + p, .table + p").first).to_be_visible(timeout=60_000)

    return show


def pictures(address: str) -> Iterator[Picture]:
    shown = conversation(address)
    yield Picture("landing", landing, DESKTOP, signed_in=False)
    yield Picture("landing-dark", landing, DESKTOP, dark=True, signed_in=False)
    yield Picture("desktop-light", shown, DESKTOP)
    yield Picture("desktop-dark", shown, DESKTOP, dark=True)
    yield Picture("phone-light", shown, PHONE)
    yield Picture("phone-dark", shown, PHONE, dark=True)
    yield Picture("new-chat", new_chat, DESKTOP)
    yield Picture("keys", keys, DESKTOP)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.pictures", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="only those that begin so")
    wanted = parser.parse_args().name
    IMAGES.mkdir(parents=True, exist_ok=True)
    with Deployment("embedded") as deployment, sync_playwright() as playwright:
        person = deployment.person("ada")
        address = lived_in(deployment, person)
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.FLAGS)
        )
        for picture in pictures(address):
            if picture.name.startswith(wanted):
                take(picture, browser, person)


def lived_in(deployment: Deployment, person: Person) -> str:
    """Give the person a few conversations, the last with a growing reply. Return its address."""
    for question in ASKED_BEFORE:
        deployment.send(person, question)
    stream = deployment.send(person, QUESTION, model="demo")
    return f"/c/{UUID(str(deployment.rows.message(stream)['conversation_id']))}/"


def take(picture: Picture, browser: Browser, person: Person) -> None:
    context = browser.new_context(
        base_url=person.base_url,
        viewport=picture.size,  # type: ignore[arg-type]
        color_scheme="dark" if picture.dark else "light",
        has_touch=picture.size is PHONE,
    )
    if picture.signed_in:
        context.add_cookies(person.browser_cookies())  # type: ignore[arg-type]
    page = context.new_page()
    picture.show(page)
    page.evaluate("document.fonts.ready.then(() => null)")
    file = IMAGES / f"{picture.name}.png"
    page.screenshot(path=file, animations="disabled", caret="initial")
    size = file.stat().st_size
    print(f"{file.name}: {size // 1024} KB")
    if size > LARGEST:
        raise SystemExit(f"{file.name} is larger than {LARGEST // 1024} KB.")
    context.close()


if __name__ == "__main__":
    main()
