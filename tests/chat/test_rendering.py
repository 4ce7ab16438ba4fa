"""The HTML of messages. tests/js compares the same cases with the live page."""

import json
import re
from html import unescape
from pathlib import Path
from time import process_time

import pytest
from django.utils.safestring import SafeString

from chat.rendering.cleaner import ALLOWED_ATTRIBUTES, ALLOWED_TAGS
from chat.rendering.complexity import find_formatted_length
from chat.rendering.links import trim_url
from chat.rendering.markdown import LINE_END, to_html
from chat.rendering.renderer import UNFORMATTED_TEXT
from chat.rendering.seams import adjust_offsets
from tests.nasty import CHARS as ALL_CHARS
from tests.nasty import FAMILIES
from tests.nasty import NASTY as ALL_NASTY

TESTS = Path(__file__).resolve().parents[1]
ATTACKS: list[str] = json.loads((TESTS / "markdown_attacks.json").read_text())
LINK = 'target="_blank" rel="noopener noreferrer nofollow"'


def test_a_paragraph_with_spans() -> None:
    html = to_html("a *b* **c** ~~d~~ `e`")
    assert html == ("<p>a <em>b</em> <strong>c</strong> <del>d</del> <code>e</code></p>")
    assert isinstance(html, SafeString)


def test_code_carries_its_language_for_style_and_script_alike() -> None:
    assert to_html("```python\nprint(1 < 2)\n```") == (
        '<pre class="code" data-language="python"><code tabindex="0">print(1 &lt; 2)</code></pre>'
    )


def test_code_without_a_language_has_no_label() -> None:
    assert to_html("```\nx\n```") == '<pre class="code"><code tabindex="0">x</code></pre>'


@pytest.mark.parametrize(
    "nested",
    ["".join("  " * n + f"- {n}\n" for n in range(60)), "> " * 4000, "1. " * 2000, "> - " * 60],
)
def test_deep_nesting_loses_no_text(nested: str) -> None:
    html = to_html(f"{nested}deep words\n\nThe end.", [2])
    assert "deep words\n\nThe end." in re.sub(r"\s*</p>\s*<p>", "\n\n", html)
    assert re.search(r"The end.</(p|div)>(<div class=.seam[^>]*>[^<]*</div>)?$", html)


def test_raw_html_is_shown_as_text() -> None:
    assert to_html("<b>x</b>") == "<p>&lt;b&gt;x&lt;/b&gt;</p>"


def test_links_open_in_a_new_tab_and_send_no_referrer() -> None:
    assert to_html("[x](https://e.com 'T')") == (
        f'<p><a href="https://e.com" title="T" {LINK}>x</a></p>'
    )


@pytest.mark.parametrize(
    "href", ["javascript:x()", "/accounts/logout/", "//e.com", "#main", "data:text/html,x", ""]
)
def test_a_link_with_another_scheme_is_only_its_text(href: str) -> None:
    assert to_html(f"[x]({href})") == "<p>x</p>"


def test_a_bare_link_ends_before_the_punctuation() -> None:
    assert to_html("See https://e.com/a_(b), or not.") == (
        f'<p>See <a href="https://e.com/a_(b)" {LINK}>https://e.com/a_(b)</a>, or not.</p>'
    )


def test_images_become_links_and_nothing_remote_is_loaded() -> None:
    assert to_html("![A *chart*](https://e.com/c.png)") == (
        f'<p><a href="https://e.com/c.png" {LINK}>A chart</a></p>'
    )


def test_tables_scroll_in_a_wrapper_and_align_by_class() -> None:
    assert to_html("| a | b |\n|---|--:|\n| 1 | 2 |") == (
        '<div class="table" tabindex="0"><table>'
        '<thead><tr><th>a</th><th class="right">b</th></tr></thead>'
        '<tbody><tr><td>1</td><td class="right">2</td></tr></tbody>'
        "</table></div>"
    )


def test_tasks_have_a_labelled_box() -> None:
    assert to_html("- [ ] a\n- [x] b") == (
        '<ul><li class="task"><input type="checkbox" disabled="" aria-label="to do"> a</li>'
        '<li class="task"><input type="checkbox" disabled="" checked="" aria-label="done"> b</li>'
        "</ul>"
    )


@pytest.mark.parametrize(
    ("written", "shown"),
    [("1 2 3", "2 3 4"), ("3 3 4 2 3", "2 2 3 2 3"), ("1 6 1 2", "2 3 2 3"), ("2 4 3", "2 3 3")],
)
def test_headings_skip_no_level_below_the_page(written: str, shown: str) -> None:
    source = "\n".join(f"{'#' * int(depth)} x" for depth in written.split())
    assert re.findall(r"<h(\d)>", to_html(source)) == shown.split()


def test_a_seam_appears_before_the_next_block() -> None:
    seam = '<div class="seam" role="note">Server restarted; reply continued</div>'
    assert to_html("One two.\n\nThree.", [5]) == f"<p>One two.</p>{seam}<p>Three.</p>"
    assert to_html("One two.\n\nThree.", [10]) == f"<p>One two.</p>{seam}<p>Three.</p>"
    assert to_html("One two.", [3, 8]) == f"<p>One two.</p>{seam}"


def test_all_seams_are_found_in_one_pass() -> None:
    text = "One.\r\n\r\nTwo.\rThree.\n\n" * 30
    positions = [*range(0, len(text), 7)]
    expected = [len(LINE_END.sub("\n", text[:position])) for position in positions]
    assert adjust_offsets(text, reversed(positions)) == expected


def test_a_seam_does_not_break_a_fence() -> None:
    html = to_html("```\na\nb\n```\nafter", [6])
    assert html.index("</pre>") < html.index("seam") < html.index("after")


def test_an_attack_yields_only_allowed_elements() -> None:
    for text in ATTACKS:
        for tag, attributes in re.findall(r"<([a-z0-9-]+)([^>]*)>", to_html(text)):
            assert tag in ALLOWED_TAGS, text
            names = re.findall(r'([a-z-]+)="[^"]*"', attributes)
            assert set(names) <= ALLOWED_ATTRIBUTES.get(tag, set()), text
            for href in re.findall(r'href="([^"]*)"', attributes):
                assert re.match(r"https?://|mailto:|tel:", href), text


CHARS = 400_000
DAILY_NASTY = {"openers of formulas", "both", "cells", "definitions", "fences that are none"}
"""One of each kind. The others take the same paths."""
NASTY = {
    "parentheses after a URL": "http://a/" + ")" * CHARS,
    "openers of formulas": "\\(" * (CHARS // 2),
    "items": "- a\n" * (CHARS // 4),
    "brackets": "[" * CHARS,
    "nested brackets": "[" * (CHARS // 2) + "]" * (CHARS // 2),
    "images": "![" * (CHARS // 2),
    "emphasis": "**a " * (CHARS // 4),
    "quotations": ">" * CHARS,
    "both": "> - " * (CHARS // 4),
    "cells": "|" * 201 + "\n|" + "-|" * 200 + "\n" + "|\n" * (CHARS // 2),
    "rows": "a|b\n-|-\n" + "a\n" * (CHARS // 2),
    "definitions": "".join(f"[a{n}]: b\n" for n in range(CHARS // 10)),
    "spaces": "a" + " " * CHARS + "b",
    "ampersands": "&" * CHARS,
    "headings": "# a\n" * (CHARS // 4),
    "fences that are none": "- ```\n  ```\n" + "- *a*\n" * (CHARS // 6),
    "formulas over fences": "$$\n```\n$$\n\n" + "- *a*\n" * (CHARS // 6),
}


@pytest.mark.parametrize(
    "nasty",
    [
        pytest.param(text, id=name, marks=[] if name in DAILY_NASTY else pytest.mark.prove)
        for name, text in NASTY.items()
    ],
)
def test_the_formatted_part_of_any_text_is_limited_and_nothing_is_lost(nasty: str) -> None:
    html = to_html(nasty)
    assert html.count("<") < 20_000
    words = unescape(re.sub(r"<[^>]*>", "", html.replace(str(UNFORMATTED_TEXT), "")))
    defined = len(re.findall(r"^\[a\d+\]: b$", nasty[: find_formatted_length(nasty)], re.MULTILINE))
    assert words.count("a") >= nasty.count("a") - defined


def test_there_are_forty_distinct_nasty_families_and_three_mixtures() -> None:
    assert len(FAMILIES) >= 40
    assert len(set(ALL_NASTY.values())) == len(ALL_NASTY) == len(FAMILIES) + 3
    halves = [name for name, text in ALL_NASTY.items() if len(text) < ALL_CHARS // 2]
    assert halves == []


@pytest.mark.prove
def test_the_server_renders_any_text_in_less_than_a_second() -> None:
    """CPU seconds for 400 KB of text. Prints the slowest."""
    seconds = {}
    for name, text in ALL_NASTY.items():
        start = process_time()
        to_html(text)
        seconds[name] = process_time() - start
    for name in sorted(seconds, key=seconds.__getitem__)[-5:]:
        print(f"{seconds[name]:.2f} s  {name}")
    assert {name: duration for name, duration in seconds.items() if duration >= 1} == {}


@pytest.mark.parametrize("opener", ["[", "![", "*a ", "`a", "<", "$a "])
def test_a_paragraph_with_too_many_marks_is_plain_and_the_next_is_not(opener: str) -> None:
    html = to_html(f"{opener * 6_000}\nb\n\n**c**")
    assert '<p><span class="plain">' in html
    assert html.endswith("\nb</span></p><p><strong>c</strong></p>")


def test_long_ordinary_text_is_formatted_to_its_end() -> None:
    block = "The moon pulls at the **sea**, and the tide goes up. " + "It goes down again. " * 15
    code = "```py\n" + "for tide in tides[1:]:\n    print(f'{tide}*')\n" * 4 + "```"
    text = f"{block}\n\n{code}\n\n- One\n- Two\n\n" * 400
    assert len(text) > 220_000
    assert find_formatted_length(text) == len(text)


def test_more_text_never_changes_where_formatting_ends() -> None:
    ends = {
        find_formatted_length(NASTY["items"][:length]) for length in range(20_000, 40_000, 1_111)
    }
    assert len(ends) == 1


def test_the_end_of_a_bare_url_is_found_in_one_pass() -> None:
    assert trim_url("http://a/(b)" + ")." * 100_000) == "http://a/(b)"


def test_a_seam_in_plain_text_stands_before_the_next_part() -> None:
    text = "- a\n" * 10_000
    html = to_html(text, [3, len(text)])
    assert html.count('class="seam"') == 2
    assert html.endswith("</div>")
