"""Where the dialect differs from CommonMark. tests/js compares such text with the live page."""

import re

import pytest

from chat.rendering.complexity import find_formatted_length
from chat.rendering.markdown import to_html


@pytest.mark.parametrize(
    ("markdown", "bold"),
    [
        ("**历经10年发展，**年", ["历经10年发展，"]),
        ("これは**「重要」**な点です。", ["「重要」"]),
        ("**Markdown（マークダウン）**は軽量です。", ["Markdown（マークダウン）"]),
        ("**注意：**请先备份。", ["注意："]),
        ("这是**粗体**文字", ["粗体"]),
        ("**「A」**なので**「B」**", ["「A」", "「B」"]),
        ("使用**“配置”**API", ["“配置”"]),
        ("**스크립트(script)**라고", ["스크립트(script)"]),
        ("**(ไทย)**ไทย", ["(ไทย)"]),
        ("**ﾃｽﾄ｡**ﾃｽﾄ", ["ﾃｽﾄ｡"]),
        ("𠮷**(野家)**𠮷", ["(野家)"]),
        ("これは__「重要」__な点です。", ["「重要」"]),
        ("使用__init__方法", []),
        ('a**"x"**b', []),
    ],
)
def test_bold_is_what_is_marked_in_writing_without_spaces(markdown: str, bold: list[str]) -> None:
    parts = to_html(markdown).replace("</strong>", "<strong>").split("<strong>")
    assert parts[1::2] == [text.replace('"', "&quot;") for text in bold]


def test_strikethrough_works_beside_full_width_punctuation() -> None:
    assert to_html("这是~~旧的，~~新的") == "<p>这是<del>旧的，</del>新的</p>"


def count_blocks(markdown: str) -> list[str]:
    """The names of the blocks, with the text of those of code."""
    html = to_html(markdown)
    blocks = re.findall(r"<(p|li)>|<pre[^>]*><code[^>]*>(.*?)</code>", html, re.DOTALL)
    return [name or code for name, code in blocks]


@pytest.mark.parametrize(
    ("markdown", "blocks"),
    [
        (
            "```markdown\n# T\n```bash\nnpm\n```\nMore.\n```\n\nThe end.",
            ["# T\n```bash\nnpm\n```\nMore.", "p"],
        ),
        ("~~~MD\n~~~js\nx\n~~~\n~~~\nThe end.", ["~~~js\nx\n~~~", "p"]),
        ("````md\n```js\nx\n```\n````\nThe end.", ["```js\nx\n```", "p"]),
        ("````md\n```js\nx\n````\nThe end.", ["```js\nx", "p"]),
        ("```md\n~~~js\n```\n~~~\n```\nThe end.", ["~~~js\n```\n~~~", "p"]),
        ("```md\n1. a\n    ```js\n    ```\n```\nThe end.", ["1. a\n    ```js\n    ```", "p"]),
        ("- a\n  ```md\n  ```js\n  ```\n  b\n  ```\n- c", ["li", "```js\n```\nb", "li"]),
        ("```md\n```md\n```py\n```\n```\n```\nThe end.", ["```md\n```py\n```\n```", "p"]),
        ("```bash\n```js\n```\nThe end.", ["```js", "p"]),
        ("```md\nx\n```\ny\n\n```\nz\n```\nThe end.", ["x", "p", "z", "p"]),
    ],
)
def test_a_markdown_fence_ends_after_the_fences_in_it(markdown: str, blocks: list[str]) -> None:
    assert count_blocks(markdown) == blocks


def test_text_after_a_markdown_fence_counts_as_text() -> None:
    """Code costs little. Text that were taken for code would have no limit."""
    fence = "```md\n```js\nx\n```\ny\n```\n"
    items = "- *a*\n" * 10_000
    assert find_formatted_length(fence + items) < len(fence + items)


@pytest.mark.parametrize("tag", ["<br>", "<br/>", "<br />", "<BR>", "<br\t/>"])
def test_a_tag_breaks_the_line_in_a_cell_only(tag: str) -> None:
    assert "<td>a<br>b</td>" in to_html(f"| x |\n|---|\n| a{tag}b |")
    assert "<br>" not in to_html(f"a{tag}b\n\n| x |\n|---|\n| `a{tag}b` |")


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        (r"| $|x|$ | $a \mid b$ |", ["$|x|$", r"$a \mid b$"]),
        (r"| \(P(A|B)\) | $$|y|$$ |", [r"\(P(A|B)\)", "$$|y|$$"]),
        (r"| $\{x | x \ge 0\}$ | b |", [r"$\{x | x \ge 0\}$", "b"]),
        ("$|a|$ | b", ["$|a|$", "b"]),
        ("| only $|x|$ |", ["only $|x|$", ""]),
        ("| $5 | 10$ |", ["$5", "10$"]),
        ("|$5|10$|", ["$5", "10$"]),
        ("| US$5 | A$6 |", ["US$5", "A$6"]),
    ],
)
def test_a_pipe_in_a_formula_ends_no_cell(row: str, cells: list[str]) -> None:
    for text in (f"| a | b |\n|---|---|\n{row}", f"> a | b\n> -|-\n> {row}"):
        html = re.sub(r"</?span[^>]*>", "", to_html(text))
        assert re.findall("<td>(.*?)</td>", html) == cells


def test_a_pipe_in_a_formula_ends_no_cell_of_a_head() -> None:
    assert to_html("| $|x|$ | b |\n|---|---|").count("<th>") == 2


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("见https://example.com/路径。然后", "https://example.com/路径"),
        ("「https://пример.рф/путь」", "https://пример.рф/путь"),
        ("(https://e.com/(路))", "https://e.com/(路)"),
        ("https://موقع.وزارة/مسار، ثم", "https://موقع.وزارة/مسار"),
        ("https://उदाहरण.भारत/रास्ता।", "https://उदाहरण.भारत/रास्ता"),
        ("https://e.com/スター・ウォーズ、", "https://e.com/スター・ウォーズ"),
        ("https://e.com/👩‍💻!", "https://e.com/👩‍💻"),
        ("访问https://example.com查看", "https://example.com"),
        ("http://localhost:3000查看", "http://localhost:3000"),
        ("以https://开头", None),
    ],
)
def test_a_bare_address_has_letters_of_any_script(text: str, address: str | None) -> None:
    found = re.search("<a [^>]*>(.*?)</a>", to_html(text))
    assert (found[1] if found else None) == address


@pytest.mark.parametrize(
    ("markdown", "blocks"),
    [
        ("- أولاً\n- ثانياً", ['<ul dir="rtl">']),
        ("3. שלום\n4. עולם", ['<ol start="3" dir="rtl">']),
        ("- **API**: واجهة برمجة التطبيقات", ['<ul dir="rtl">']),
        ("- `pip install package` را نصب کنید", ['<ul dir="rtl">']),
        ("> https://example.com/long سلام", ['<blockquote dir="rtl">']),
        ("| اسم | قيمة |\n|---|---|\n| a | b |", ['<div class="table" tabindex="0" dir="rtl">']),
        ("- English with שלום", ["<ul>"]),
        ("- 1\n- 2", ["<ul>"]),
        (
            "> اقتباس\n> - 1\n>\n> > English",
            ['<blockquote dir="rtl">', "<ul>", '<blockquote dir="ltr">'],
        ),
        ("- שלום\n  - 12\n  - `x`", ['<ul dir="rtl">', "<ul>"]),
        ("- شغّل\n  ```js\n  const name = other;\n  ```", ['<ul dir="rtl">']),
    ],
)
def test_blocks_have_the_direction_of_their_words(markdown: str, blocks: list[str]) -> None:
    found = re.findall(r"<(?:ul|ol|blockquote|div)\b[^>]*>", to_html(markdown))
    assert found == blocks
