"""Screens of other shapes than a desk's: one with a notch and round corners, and a wide one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.replies import ask, finished, latest
from tests.e2e.test_phone import PHONE, fits
from tools.deployment.deployment import Deployment

pytestmark = [pytest.mark.page, pytest.mark.parametrize("deployment", ["embedded"], indirect=True)]

INSETS = {"top": 47, "bottom": 34, "left": 0, "right": 0}


def test_nothing_stands_under_a_notch_or_a_round_corner(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"), **PHONE)
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setSafeAreaInsetsOverride", {"insets": INSETS})
    ask(page, "Be brief", "demo-fast")
    finished(page)
    height = PHONE["viewport"]["height"]  # type: ignore[index]
    for control in (page.get_by_role("button", name="Menu"), page.locator(".composer")):
        place = control.bounding_box()
        assert place
        assert place["y"] >= INSETS["top"]
        assert place["y"] + place["height"] <= height - INSETS["bottom"]
    page.get_by_role("button", name="Menu").tap()
    for control in (
        page.get_by_role("link", name="New chat"),
        page.get_by_role("button", name="Sign out"),
    ):
        place = control.bounding_box()
        assert place
        assert place["y"] >= INSETS["top"]
        assert place["y"] + place["height"] <= height - INSETS["bottom"]
    fits(page)


@pytest.mark.prove
def test_on_a_very_wide_screen_a_line_is_no_longer_than_one_can_read(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"), viewport={"width": 2560, "height": 1080})
    ask(page, "Be brief", "demo-fast")
    finished(page)
    expect(latest(page).locator("p").first).to_be_visible()
    text = latest(page).locator(".prose > p").first.bounding_box()
    composer = page.locator(".composer").bounding_box()
    assert text
    assert composer
    assert text["width"] <= 44 * 16
    middle = composer["x"] + composer["width"] / 2
    assert abs(text["x"] + text["width"] / 2 - middle) < 2
