"""Lists, quotations and tables from right to left, as a browser lays them out."""

from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page

from chat.rendering.markdown import to_html
from tests.js.chat_page import CHAT, ChatServer, build_ended_exchange, render_chat_page
from tools.static_site import Files

MARKDOWN = """- **API**: واجهة برمجة `pip install` https://example.com/مسار/

  ```bash
  npm install
  ```

> اقتباس

| اسم | قيمة |
|---|---|
| أول | ثان |

- one
- שני two and three
"""

MEASURE = """() => {
    const prose = document.querySelector("article:last-of-type .prose");
    const find = (selector) => prose.querySelector(selector);
    const direction = (selector) => getComputedStyle(find(selector)).direction;
    const place = (node, at) => {
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + 1);
        return range.getBoundingClientRect().left;
    };
    const address = find("a").firstChild;
    const [first, second] = [...prose.querySelectorAll("th")].map((cell) => cell.offsetLeft);
    return {
        directions: ["ul", "pre", "code", "blockquote", "table", "ul:last-child"].map(direction),
        padding: parseFloat(getComputedStyle(find("ul")).paddingRight) > 0,
        bar: getComputedStyle(find("blockquote")).borderRightWidth,
        isFirstColumnRight: first > second,
        isSlashLast: place(address, address.length - 1) > place(address, 0),
    };
}"""


@pytest.mark.still
def test_markers_bars_and_columns_stand_on_the_right(page: Page, chat_server: ChatServer) -> None:
    question, answer = build_ended_exchange("مرحبا")
    answer = replace(answer, html=to_html(MARKDOWN))
    Files.pages[CHAT] = render_chat_page(f"{CHAT}messages/", (question, answer))
    page.goto(CHAT)
    found: dict[str, Any] = page.evaluate(MEASURE)
    assert found == {
        "directions": ["rtl", "ltr", "ltr", "rtl", "rtl", "ltr"],
        "padding": True,
        "bar": "2px",
        "isFirstColumnRight": True,
        "isSlashLast": True,
    }
