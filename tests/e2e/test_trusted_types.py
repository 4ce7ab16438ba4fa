"""A text becomes HTML of a page, or a script, only through `static/js/trusted-html.js`. A browser
refuses any other way; htmx works all the same. In the admin only scripts are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PageErrors
from tools.deployment.deployment import Deployment

pytestmark = pytest.mark.page

TEXT = "<b>text</b>"
SCRIPT = "<p>text</p><Script src=/static/js/main.js></Script>"
REFUSED = {
    "HTML": "document.body.innerHTML = '<b>text</b>'",
    "HTML beside an element": "document.body.insertAdjacentHTML('beforeend', '<b>text</b>')",
    "a document": "new DOMParser().parseFromString('<b>text</b>', 'text/html')",
    "a fragment": "document.createRange().createContextualFragment('<b>text</b>')",
    "the address of a script": "document.createElement('script').src = '/static/js/main.js'",
    "the text of a script": "document.createElement('script').textContent = '1'",
    "a document in a frame": "document.createElement('iframe').srcdoc = '<b>text</b>'",
    "another policy": "trustedTypes.createPolicy('other', { createHTML: (html) => html })",
    "a second policy of the name": "trustedTypes.createPolicy('holdfast', {})",
    "a policy for everything": "trustedTypes.createPolicy('default', {})",
}
PROMOTE_CODE = """
from accounts.models import User
User.objects.filter(email={email!r}).update(is_staff=True, is_superuser=True)
"""
IMPORT_RULES = """async (html) => {
    const path = document.querySelector("link[href*='trusted-html']").href;
    const { trustHtml } = await import(path);
    return String(trustHtml(html));
}"""


@pytest.mark.parametrize("path", ["/", "/settings/keys/", "/admin/", "/admin/auth/group/add/"])
def test_a_text_becomes_neither_html_nor_a_script(
    deployment: Deployment,
    open_page: Callable[..., Page],
    page_errors: PageErrors,
    path: str,
) -> None:
    page_errors.allow("Trusted|Content Security Policy|trusted-types")
    page = open_administration(deployment, open_page, path)
    # The admin's jQuery may make HTML of a text, but none with a script.
    text = SCRIPT if path.startswith("/admin/") else TEXT
    succeeded = [
        name for name, code in REFUSED.items() if is_accepted(page, code.replace(TEXT, text))
    ]
    assert succeeded == []


def open_administration(deployment: Deployment, open_page: Callable[..., Page], path: str) -> Page:
    """Open a page after the password is confirmed, as pages of the admin require. The person is
    made an administrator, because another test may have signed up the first one."""
    owner = deployment.person("owner")
    deployment.manage("shell", "-c", PROMOTE_CODE.format(email=owner.email))
    owner.post("/accounts/reauthenticate/", {"password": owner.password})
    return open_page(owner, path)


def is_accepted(page: Page, code: str) -> bool:
    return bool(
        page.evaluate(f"() => {{ try {{ {code}; return true; }} catch {{ return false; }} }}")
    )


def test_the_policy_drops_an_answer_with_a_script(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_page(deployment.person("owner"))
    for html in ("<script>1</script>", "<p>x</p><SCRIPT src=/x></SCRIPT>", "<script\ntype=module>"):
        assert page.evaluate(IMPORT_RULES, html) == ""
    for html in ("<p>a</p>", '<script id="source-1" type="application/json">"a"</script>'):
        assert page.evaluate(IMPORT_RULES, html) == html


def test_the_admins_own_scripts_work(
    deployment: Deployment, open_page: Callable[..., Page]
) -> None:
    page = open_administration(deployment, open_page, "/admin/auth/group/add/")
    page.get_by_label("Name:").fill("Readers")
    filter_box = page.locator("#id_permissions_input")
    filter_box.press_sequentially("view draft")  # it listens to keys
    options = page.locator("#id_permissions_from option")
    expect(options).to_have_count(1)
    options.first.dblclick()
    expect(page.locator("#id_permissions_to option")).to_have_count(1)
    page.goto("/admin/accounts/user/")
    page.locator("#action-toggle").check()
    expect(page.locator(".action-counter")).to_contain_text("selected")
    page.goto("/admin/accounts/user/1/change/")
    expect(page.locator("#user_form, form[method=post]").first).to_be_visible()
