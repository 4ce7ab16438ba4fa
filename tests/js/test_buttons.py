"""The buttons of all templates, whose looks are the classes `button` and `quiet`."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page

from tests.js.chat_page import CHAT, ChatServer
from tools.static_site import STATIC

TEMPLATES = STATIC.parent / "templates"
BUTTON_CLASSES = re.compile(r"""\b(?:css_)?class="((?:button|quiet)\b[^"]*)\"""")
TAG = re.compile(r"{%.*?%}")
MIN_CONTRAST = 4.5  # of WCAG's level AA
ADD_BUTTONS = """(classes) => {
    const buttons = classes.map((name) =>
        Object.assign(document.createElement("button"), { className: name, textContent: name }));
    document.querySelector("main").replaceChildren(...buttons);
}"""
GET_CONTRAST = """(button) => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const measureLuminance = (colors) => {
        for (const color of colors) {
            canvas.fillStyle = color;
            canvas.fillRect(0, 0, 1, 1);
        }
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((byte) => {
            const part = byte / 255;
            return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const grounds = [];
    for (let element = button; element; element = element.parentElement)
        grounds.unshift(getComputedStyle(element).backgroundColor);
    const [dark, light] = [
        measureLuminance(grounds),
        measureLuminance([...grounds, getComputedStyle(button).color]),
    ].sort((one, other) => one - other);
    return (light + 0.05) / (dark + 0.05);
}"""


def list_button_classes() -> list[str]:
    """Return the classes of each kind of button, also of one that some condition makes."""
    found = {
        " ".join(variant.split())
        for template in TEMPLATES.rglob("*.html")
        for classes in BUTTON_CLASSES.findall(template.read_text())
        for variant in (TAG.sub("", classes), re.sub(r"{%.*", "", classes))
    }
    assert {"button", "button secondary", "button send", "quiet", "quiet danger"} <= found
    return sorted(found)


@pytest.mark.still
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_words_of_every_button_are_readable_under_the_pointer(
    page: Page, chat_server: ChatServer, theme: str
) -> None:
    page.goto(CHAT)
    page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
    page.evaluate(ADD_BUTTONS, list_button_classes())
    for button in page.locator("main > button").all():
        button.hover()
        assert button.evaluate(GET_CONTRAST) >= MIN_CONTRAST, button.inner_text()
