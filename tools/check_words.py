"""Check that no sentence begins with a clause in place of a noun, such as “Who …” or “What …”, and
that none contains one of a few metaphors.

Readers have to search for the subject of such a sentence, and for the meaning of a metaphor.
docs/style.md has examples. Questions are fine. The check reads documents, docstrings, and the
comments of Python, scripts, styles and templates.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON_FOLDERS = ("accounts", "benchmarks", "chat", "config", "streaming", "tests", "tools")
PAGE_FILES = ("static/css/**/*.css", "static/js/**/*.js", "templates/**/*", "benchmarks/**/*.js")
CLAUSE = re.compile(
    r"(?:^|[.!?:;]\s+|\|\s+|(?:^|\s)[-#*]+\s)[\"“*(`]*"
    r"((?:Who|Whoever|What)\s(?:[^.!?]|[.!?](?=\w))*+)(?!\?)"
)
METAPHOR = re.compile(r"\b(?:(?i:bells?|heard of|told(?! apart))|whoever)\b")
INLINE_CODE = re.compile(r"`[^`]*`")
CODE = re.compile(r"```.*?```", re.DOTALL)
PAGE_COMMENT = re.compile(
    r"(?:^[ \t]*//[^\n]*\n)+|(?<=[\s;{}(),])//[^\n]*|/\*.*?\*/|\{#.*?#\}|<!--.*?-->"
    r"|\{% comment.*?\{% endcomment %\}",
    re.MULTILINE | re.DOTALL,
)
PAGE_MARK = re.compile(r"^[ \t]*(?://|/?\*+|\{#|<!--|\{% comment[^%]*%\})", re.MULTILINE)


def main() -> None:
    problems = [f"{place}: {sentence}" for place, sentence in find_sentences()]
    if problems:
        advice = "Name the subject of these sentences, without metaphors (docs/style.md)."
        sys.exit("\n".join([*problems, advice]))


def find_sentences() -> Iterator[tuple[str, str]]:
    for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        text = CODE.sub(lambda block: "\n" * block[0].count("\n"), file.read_text())
        if file.name != "style.md":
            yield from find_problems(file, 1, text)
    for folder in PYTHON_FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            yield from (found for part in read_prose(file) for found in find_problems(file, *part))
    for file in sorted(path for files in PAGE_FILES for path in ROOT.glob(files) if path.is_file()):
        yield from (found for part in read_comments(file) for found in find_problems(file, *part))


def find_problems(file: Path, line: int, text: str) -> Iterator[tuple[str, str]]:
    for paragraph in re.finditer(r"(?:^(?!\s*$).+\n?)+", text, re.MULTILINE):
        first = line + text.count("\n", 0, paragraph.start())
        place, words = f"{file.relative_to(ROOT)}:{first}", " ".join(paragraph[0].split())
        for found in CLAUSE.finditer(words):
            yield place, found[1][:60]
        words = INLINE_CODE.sub("", words)
        for found in METAPHOR.finditer(words):
            yield place, words[max(0, found.start() - 30) : found.end() + 30]


def read_comments(file: Path) -> Iterator[tuple[int, str]]:
    """Yield comments of a script, style or template; in a script, `//` lines in a row are one."""
    text = file.read_text()
    for comment in PAGE_COMMENT.finditer(text):
        yield 1 + text.count("\n", 0, comment.start()), PAGE_MARK.sub("", comment[0])


def read_prose(file: Path) -> Iterator[tuple[int, str]]:
    """Yield docstrings and comments with their first lines; comments in a row are one text."""
    source = file.read_text()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(ast.Constant(str() as text)):
                yield node.lineno, text
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [(token.start[0], token.string[1:]) for token in tokens if token.string[:1] == "#"]
    for _, run in groupby(enumerate(comments), lambda item: item[1][0] - item[0]):
        lines = [comment for _, comment in run]
        yield lines[0][0], "\n".join(text for _, text in lines)


if __name__ == "__main__":
    main()
