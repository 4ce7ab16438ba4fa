"""Colours and fonts are stored in the browser, and part of the first paint."""

import pytest
from django.test import Client

from tests.chat.factories import read_html


@pytest.mark.parametrize(("name", "chosen"), [("theme", "dark"), ("type", "sans")])
def test_the_appearance_is_kept_and_in_the_first_paint(
    as_owner: Client, name: str, chosen: str
) -> None:
    assert f"data-{name}" not in read_html(as_owner.get("/"))
    as_owner.post(f"/{name}/", {name: chosen, "next": "/"})
    assert f'<html lang="en-gb" data-{name}="{chosen}">' in read_html(as_owner.get("/"))
    as_owner.post(f"/{name}/", {name: '"><script>', "next": "/"})
    assert f"data-{name}" not in read_html(as_owner.get("/"))


def test_choosing_a_theme_leads_back_to_the_same_page_and_to_no_other_site(
    visitor: Client,
) -> None:
    def choose_theme(return_path: str) -> str:
        return visitor.post("/theme/", {"theme": "light", "next": return_path}).headers["Location"]

    assert choose_theme("/settings/keys/?sent=1") == "/settings/keys/?sent=1"
    assert choose_theme("nowhere") == "nowhere"
    assert choose_theme("https://elsewhere.example/") == "/"
    assert choose_theme("//elsewhere.example/") == "/"
