"""Screens of other shapes than a desktop's: one with a notch and round corners, and a wide one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.replies import find_newest_reply, send_message, wait_for_reply
from tests.e2e.test_phone import PHONE, assert_fits
from tools.deployment.deployment import Deployment

pytestmark = [pytest.mark.page, pytest.mark.parametrize("deployment", ["embedded"], indirect=True)]

INSETS = {"top": 47, "bottom": 34, "left": 0, "right": 0}


def test_nothing_is_covered_by_a_notch_or_a_round_corner(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"), **PHONE)
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setSafeAreaInsetsOverride", {"insets": INSETS})
    send_message(page, "Be brief", "demo-fast")
    wait_for_reply(page)
    height = PHONE["viewport"]["height"]  # type: ignore[index]
    for control in (page.get_by_role("button", name="Menu"), page.locator(".composer")):
        box = control.bounding_box()
        assert box
        assert box["y"] >= INSETS["top"]
        assert box["y"] + box["height"] <= height - INSETS["bottom"]
    page.get_by_role("button", name="Menu").tap()
    for control in (
        page.get_by_role("link", name="New chat"),
        page.get_by_role("button", name="Sign out"),
    ):
        box = control.bounding_box()
        assert box
        assert box["y"] >= INSETS["top"]
        assert box["y"] + box["height"] <= height - INSETS["bottom"]
    assert_fits(page)


@pytest.mark.prove
def test_lines_stay_readable_on_a_very_wide_screen(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"), viewport={"width": 2560, "height": 1080})
    send_message(page, "Be brief", "demo-fast")
    wait_for_reply(page)
    expect(find_newest_reply(page).locator("p").first).to_be_visible()
    text = find_newest_reply(page).locator(".prose > p").first.bounding_box()
    composer = page.locator(".composer").bounding_box()
    assert text
    assert composer
    assert text["width"] <= 44 * 16
    middle = composer["x"] + composer["width"] / 2
    assert abs(text["x"] + text["width"] / 2 - middle) < 2
