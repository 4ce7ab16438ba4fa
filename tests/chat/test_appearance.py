"""Colours and fonts: kept in the browser, and in the first paint."""

import pytest
from django.test import Client

from tests.chat.factories import html


@pytest.mark.parametrize(("name", "chosen"), [("theme", "dark"), ("type", "sans")])
def test_the_appearance_is_kept_and_in_the_first_paint(
    as_owner: Client, name: str, chosen: str
) -> None:
    assert f"data-{name}" not in html(as_owner.get("/"))
    as_owner.post(f"/{name}/", {name: chosen, "next": "/"})
    assert f'<html lang="en-gb" data-{name}="{chosen}">' in html(as_owner.get("/"))
    as_owner.post(f"/{name}/", {name: '"><script>', "next": "/"})
    assert f"data-{name}" not in html(as_owner.get("/"))


def test_choosing_a_theme_leads_back_to_the_same_page_and_to_no_other_site(
    visitor: Client,
) -> None:
    def after(back: str) -> str:
        return visitor.post("/theme/", {"theme": "light", "next": back}).headers["Location"]

    assert after("/settings/keys/?sent=1") == "/settings/keys/?sent=1"
    assert after("nowhere") == "nowhere"
    assert after("https://elsewhere.example/") == "/"
    assert after("//elsewhere.example/") == "/"
