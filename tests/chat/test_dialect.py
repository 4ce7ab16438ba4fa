"""Where the dialect differs from CommonMark. tests/js compares such text with the live page."""

import pytest

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
