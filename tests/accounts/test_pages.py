"""Every page of the accounts is accessible, and contains nothing that the policy forbids."""

from html.parser import HTMLParser

import pytest
from django.test import Client

PUBLIC_PATHS = [
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
PRIVATE_PATHS = [
    "/accounts/logout/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/reauthenticate/",
    "/settings/account/",
    "/settings/sessions/",
    "/settings/keys/",
    "/settings/replies/",
]


class ParsedPage(HTMLParser):
    """The tags of a page with their attributes, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def find_tags(self, *names: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture(params=[*PUBLIC_PATHS, *(f"signed in: {path}" for path in PRIVATE_PATHS)])
def page(request: pytest.FixtureRequest, db: None) -> ParsedPage:
    signed_in, _, path = request.param.rpartition(": ")
    client = request.getfixturevalue("as_owner") if signed_in else Client()
    answer = client.get(path, follow=True)
    assert answer.status_code == 200
    return ParsedPage(answer.content.decode())


def test_a_page_has_one_main_part_one_heading_and_a_title(page: ParsedPage) -> None:
    assert [len(page.find_tags(tag)) for tag in ("main", "h1", "title")] == [1, 1, 1]


def test_a_page_contains_no_inline_script_or_style(page: ParsedPage) -> None:
    assert not page.find_tags("style")
    assert all("src" in script for script in page.find_tags("script"))
    for _, attributes in page.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_every_field_has_a_label_and_every_description_exists(page: ParsedPage) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled_ids = {label["for"] for label in page.find_tags("label")}
    for field in page.find_tags("input", "select", "textarea"):
        if field.get("type") != "hidden":
            assert field["id"] in labelled_ids
        assert set(field.get("aria-describedby", "").split()) <= set(ids)


def test_no_field_repeats_its_label_inside(page: ParsedPage) -> None:
    assert not [field for field in page.find_tags("input") if "placeholder" in field]


def test_every_form_that_is_posted_carries_a_token(page: ParsedPage) -> None:
    forms = [form for form in page.find_tags("form") if form.get("method") == "post"]
    tokens = [
        field for field in page.find_tags("input") if field.get("name") == "csrfmiddlewaretoken"
    ]
    assert len(tokens) == len(forms)


def test_errors_are_linked_to_their_fields(db: None, client: Client) -> None:
    page = ParsedPage(client.post("/accounts/signup/", {"email": "no address"}).content.decode())
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    for name in ("email", "password1"):
        [field] = [field for field in page.find_tags("input") if field.get("name") == name]
        assert field["aria-invalid"] == "true"
        assert f"id_{name}_error" in field["aria-describedby"].split()
        assert f"id_{name}_error" in ids
