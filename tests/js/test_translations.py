"""The strings of scripts, with and without Django's JavaScript catalogue."""

from playwright.sync_api import Page

READ_TEXTS = """async () => {
    const { gettext, ngettext, interpolate } = await import("/js/elements.js");
    const format = (count) => ngettext("%(count)s token", "%(count)s tokens", count);
    return [gettext("Retry"), ...[1, 2].map((count) => interpolate(format(count), { count }))];
}"""

TRANSLATE = """() => {
    const plurals = { "%(count)s token": ["%(count)s Wort", "%(count)s Wörter"] };
    window.django = {
        gettext: (text) => (text === "Retry" ? "Erneut" : text),
        ngettext: (singular, plural, count) => plurals[singular][count === 1 ? 0 : 1],
    };
}"""


def test_strings_without_a_catalog_stay_as_they_are(page: Page) -> None:
    assert page.evaluate(READ_TEXTS) == ["Retry", "1 token", "2 tokens"]


def test_strings_are_those_of_the_catalog(page: Page) -> None:
    page.evaluate(TRANSLATE)
    assert page.evaluate(READ_TEXTS) == ["Erneut", "1 Wort", "2 Wörter"]
