"""Every page of the accounts is accessible, and contains nothing that the policy forbids."""

from html.parser import HTMLParser

import pytest
from django.test import Client

OUTSIDE = [
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/logout/",
    "/accounts/inactive/",
    "/accounts/confirm-email/",
    "/accounts/confirm-email/nothing/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/1-nothing/",
    "/accounts/password/reset/key/done/",
]
INSIDE = [
    "/accounts/logout/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/reauthenticate/",
    "/settings/keys/",
    "/settings/replies/",
]


class Page(HTMLParser):
    """Return the tags of a page with their attributes, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, *names: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture(params=[*OUTSIDE, *(f"signed in: {path}" for path in INSIDE)])
def shown(request: pytest.FixtureRequest, db: None) -> Page:
    signed_in, _, path = request.param.rpartition(": ")
    client = request.getfixturevalue("as_owner") if signed_in else Client()
    answer = client.get(path, follow=True)
    assert answer.status_code == 200
    return Page(answer.content.decode())


def test_a_page_has_one_main_part_one_heading_and_a_title(shown: Page) -> None:
    assert [len(shown.all(tag)) for tag in ("main", "h1", "title")] == [1, 1, 1]


def test_a_page_contains_no_inline_script_or_style(shown: Page) -> None:
    assert not shown.all("style")
    assert all("src" in script for script in shown.all("script"))
    for _, attributes in shown.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_every_field_has_a_label_and_every_description_exists(shown: Page) -> None:
    ids = [attributes["id"] for _, attributes in shown.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {label["for"] for label in shown.all("label")}
    for field in shown.all("input", "select", "textarea"):
        if field.get("type") != "hidden":
            assert field["id"] in labelled
        assert set(field.get("aria-describedby", "").split()) <= set(ids)


def test_no_field_repeats_its_label_inside(shown: Page) -> None:
    assert not [field for field in shown.all("input") if "placeholder" in field]


def test_every_form_that_is_posted_carries_a_token(shown: Page) -> None:
    forms = [form for form in shown.all("form") if form.get("method") == "post"]
    tokens = [field for field in shown.all("input") if field.get("name") == "csrfmiddlewaretoken"]
    assert len(tokens) == len(forms)


def test_errors_are_linked_to_their_fields(db: None, client: Client) -> None:
    shown = Page(client.post("/accounts/signup/", {"email": "no address"}).content.decode())
    ids = {attributes["id"] for _, attributes in shown.tags if "id" in attributes}
    for name in ("email", "password1"):
        [field] = [field for field in shown.all("input") if field.get("name") == name]
        assert field["aria-invalid"] == "true"
        assert f"id_{name}_error" in field["aria-describedby"].split()
        assert f"id_{name}_error" in ids
