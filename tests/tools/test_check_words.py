"""The check of words finds metaphors, and clauses as subjects, in every kind of comment."""

from pathlib import Path

import pytest

from tools import check_words

CLAUSE = "What is refused once is never sent again."


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_words, "ROOT", tmp_path)


def find(tmp_path: Path, name: str, text: str) -> list[str]:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return [sentence for _, sentence in check_words.find_sentences()]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("docs/page.md", f"First line.\n{CLAUSE}\n"),
        ("docs/page.md", f"- An item.\n- {CLAUSE}\n"),
        ("docs/page.md", f"# {CLAUSE}\n"),
        ("chat/module.py", f'"""{CLAUSE}"""\n'),
        ("chat/module.py", f"limit = 1  # {CLAUSE}\n"),
        ("static/js/live/module.js", f"const limit = 1; // {CLAUSE}\n"),
        ("static/js/module.js", f"// A comment.\n// {CLAUSE}\nconst limit = 1;\n"),
        ("static/js/module.js", f"/**\n * A comment.\n * {CLAUSE}\n */\n"),
        ("static/css/page.css", f"a {{\n  /* {CLAUSE} */\n  color: red;\n}}\n"),
        ("templates/page.html", f"<p>{{# {CLAUSE} #}}</p>\n"),
        ("templates/page.html", f"{{% comment %}}\n{CLAUSE}\n{{% endcomment %}}\n"),
    ],
)
def test_a_clause_as_a_subject_is_found(tmp_path: Path, name: str, text: str) -> None:
    [sentence] = find(tmp_path, name, text)
    assert sentence.startswith("What is refused once is never sent again")


@pytest.mark.parametrize("sentence", ["Who owns it.", "Whoever asks first.", "What a chunk holds."])
def test_every_clause_is_found(tmp_path: Path, sentence: str) -> None:
    assert len(find(tmp_path, "docs/page.md", f"{sentence}\n")) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("docs/page.md", "A follower is told that the stream ended.\n"),
        ("chat/module.py", '"""Ring the bell after the commit."""\n'),
        ("tests/test_module.py", "limit = 1  # The lock goes to whoever asks first.\n"),
        ("tools/module.py", '"""A line.\n\nThe row was heard\nof before.\n"""\n'),
        ("static/js/module.js", "// Bells are sealed.\n"),
    ],
)
def test_a_metaphor_is_found(tmp_path: Path, name: str, text: str) -> None:
    assert len(find(tmp_path, name, text)) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("docs/page.md", "What does `a.b` hold? A chunk.\n"),
        ("docs/page.md", f"```\n{CLAUSE}\n```\n"),
        ("chat/module.py", f'sentence = "{CLAUSE}"\n'),
        ("chat/module.py", 'message = {"type": "bell"}\n'),
        ("chat/module.py", '"""Two addresses can be told apart by their `bell`."""\n'),
        ("static/js/module.js", f'const sentence = "https://{CLAUSE}";\n'),
        ("templates/page.html", f"<p>{CLAUSE}</p>\n"),
    ],
)
def test_questions_and_texts_for_people_are_fine(tmp_path: Path, name: str, text: str) -> None:
    assert find(tmp_path, name, text) == []
