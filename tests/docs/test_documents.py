"""Links and paths in documents lead to files, and decisions have a number, a date and a status."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
PATH = re.compile(
    r"`((?:accounts|benchmarks|chat|config|docs|static|streaming|templates|tests|tools)/[\w./-]+)`"
)
CITING_FOLDERS = ("accounts", "benchmarks", "chat", "config", "streaming", "tests", "tools")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_section_leads_to_its_heading(document: Path) -> None:
    for target, section in re.findall(r"\]\(([^)#:\s]*)#([^)]+)\)", document.read_text()):
        file = document.parent / target if target else document
        if file.suffix == ".md":
            assert section in list_sections(file), f"{target}#{section}"


def list_sections(document: Path) -> set[str]:
    """The names of its headings in links, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "document",
    [path for path in DOCUMENTS if path.name not in {"CHANGELOG.md", "style.md"}],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_path_in_a_document_exists(document: Path) -> None:
    for path in PATH.findall(document.read_text()):
        assert (ROOT / path).exists() or "/NAME" in path, path


def test_the_names_of_tests_after_a_change_exist() -> None:
    style = (ROOT / "docs" / "style.md").read_text()
    source = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    names = re.findall(r"^\| `test_\w+` \| `(test_\w+)` \|$", style, re.MULTILINE)
    assert len(names) == 10
    for name in names:
        assert f"def {name}(" in source, name


def test_the_docstrings_after_a_change_exist() -> None:
    style = (ROOT / "docs" / "style.md").read_text()
    files = [path for folder in CITING_FOLDERS for path in (ROOT / folder).rglob("*.py")]
    source = "\n".join(" ".join(path.read_text().split()) for path in files)
    table = style.partition("## Docstrings, before and after")[2]
    docstrings = re.findall(r"^\| [^|`]+ \| ([^|]+)\. \|$", table, re.MULTILINE)
    assert len(docstrings) == 10
    for docstring in docstrings:
        assert docstring in source, docstring


def test_the_index_names_every_document() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    for document in (ROOT / "docs").glob("*.md"):
        assert document.name == "index.md" or f"]({document.name})" in index, document.name


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == [*range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem[:4])
def test_a_decision_has_a_date_and_a_status_and_is_in_the_index(decision: Path) -> None:
    title, date, status, *_ = decision.read_text().split("\n\n")
    assert title.startswith(f"# {decision.name[:4]}. ")
    assert re.fullmatch(r"Date: \d{4}-\d\d-\d\d", date)
    assert re.fullmatch(r"Status: (accepted|superseded by \[\d{4}\]\(.+\))", status)
    index = (decision.parent / "README.md").read_text()
    row = next(line for line in index.splitlines() if f"]({decision.name})" in line)
    assert [cell.strip() for cell in row.split("|")][3:5] == [
        date.removeprefix("Date: "),
        status.removeprefix("Status: "),
    ]


def test_every_decision_that_code_cites_exists() -> None:
    names = {name for decision in DECISIONS for name in (decision.stem[:4], decision.stem)}
    for file in (path for folder in CITING_FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for name in re.findall(r"docs/decisions/([\w-]+)", file.read_text()):
            assert name in names, file
