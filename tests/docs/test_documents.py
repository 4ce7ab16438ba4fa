"""Links between documents lead to files, and every decision has a number, a date and a status."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
CITING_FOLDERS = ("accounts", "benchmarks", "chat", "config", "streaming", "tests", "tools")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_shelf_names_every_document() -> None:
    shelf = (ROOT / "docs" / "index.md").read_text()
    for document in (ROOT / "docs").glob("*.md"):
        assert document.name == "index.md" or f"]({document.name})" in shelf, document.name


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
    numbers = {decision.name[:4] for decision in DECISIONS}
    for file in (path for folder in CITING_FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for name in re.findall(r"docs/decisions/([\w-]+)", file.read_text()):
            assert name in numbers, file
