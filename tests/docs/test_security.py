"""The pages about security: what they name exists, and no finding and no requirement is missing."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from accounts.factors.recovery_codes import CODE_CHARS
from accounts.password_rules import MIN_DIGITS, MIN_OTHER_CHARS, PRODUCT_WORDS
from accounts.session_store import MAX_SESSION_SECONDS
from tests.docs.named_tests import SECURITY_PAGES, collect_named_tests, list_proofs

ROOT = Path(__file__).resolve().parents[2]
FINDINGS = [
    *(f"H{number}" for number in range(1, 9)),
    *(f"M{number}" for number in range(1, 12)),
    *(f"L{number}" for number in range(1, 11)),
]
NUMBERS = Path(__file__).with_name("asvs_numbers.txt").read_text().split()
"""The requirements of OWASP ASVS 5.0.0 at levels 1 and 2 in the chapters of the page."""
FURTHER_CASES = 3
ONLY_IN_PROVE = " (`make prove`)"
NAMED_TEST = re.compile(rf"`([\w/]+/test_\w+\.py(?:::\w+)?)`({re.escape(ONLY_IN_PROVE)})?")


def read_page(name: str) -> str:
    return (ROOT / "docs" / "security" / name).read_text()


@cache
def read_source(path: str) -> str:
    """Tests are named relative to their folder. Empty if there is no such file."""
    is_test = path.rpartition("/")[2].startswith("test_")
    file = ROOT / "tests" / path if is_test else ROOT / path
    return file.read_text() if file.is_file() else ""


def exists(proof: str) -> bool:
    path, _, name = proof.partition("::")
    defined = rf"^\s*(?:async )?(?:def|class) {name}\b|^{name}\b" if name else r"\w"
    return re.search(defined, read_source(path), re.MULTILINE) is not None


@pytest.mark.parametrize("page", SECURITY_PAGES, ids=lambda page: page.name)
def test_every_proof_exists(page: Path) -> None:
    assert [proof for proof in list_proofs(page.read_text()) if not exists(proof)] == []


def test_a_proof_that_is_missing_is_found() -> None:
    assert exists("docs/test_security.py::test_every_proof_exists")
    assert not exists("docs/test_security.py::test_every_proof_exist")
    assert not exists("docs/test_nothing.py::test_every_proof_exists")


def find_ways(proof: str, ways_by_test: dict[str, set[str]]) -> set[str]:
    """A proof may be a whole file. Some tests stand in a class."""
    path, _, name = proof.partition("::")
    return {
        way
        for test, ways in ways_by_test.items()
        if test.split("::")[0] == path and name in ("", test.split("::")[-1])
        for way in ways
    }


def list_wrong_tests(text: str, ways_by_test: dict[str, set[str]]) -> list[str]:
    """Tests that pytest does not find, that are always skipped, or that `make test` leaves out and
    the page does not say so, or says so wrongly."""
    wrong = []
    for proof, note in re.findall(NAMED_TEST, text):
        ways = find_ways(proof, ways_by_test) - {"skipped"}
        if not ways or ("daily" in ways) == bool(note):
            wrong.append(proof)
    return wrong


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", SECURITY_PAGES, ids=lambda page: page.name)
def test_every_named_test_runs_where_the_page_says(page: Path) -> None:
    assert list_wrong_tests(page.read_text(), collect_named_tests()) == []


@pytest.mark.timeout(300)
def test_the_ways_to_run_a_test_are_told_apart() -> None:
    path = "fuzz/test_forms.py"
    for name, way in (
        ("test_every_form_accepts_malformed_fields_without_a_server_error", "daily"),
        ("test_100_000_posts_cause_no_server_error_and_no_leak", "prove"),
        ("test_one_input_causes_no_server_error", "skipped"),
    ):
        assert find_ways(f"{path}::{name}", collect_named_tests()) == {way}
    assert find_ways(path, collect_named_tests()) == {"daily", "prove", "skipped"}


@pytest.mark.parametrize("note", ["", ONLY_IN_PROVE])
@pytest.mark.parametrize(
    ("ways", "right_note"),
    [
        ({"daily"}, ""),
        ({"daily", "prove"}, ""),
        ({"prove"}, ONLY_IN_PROVE),
        ({"prove", "skipped"}, ONLY_IN_PROVE),
        ({"skipped"}, None),
        (set(), None),
    ],
)
def test_a_test_that_runs_elsewhere_is_found(
    ways: set[str], right_note: str | None, note: str
) -> None:
    text = f"| case | `accounts/test_keys.py::test_a_key`{note} |"
    found = list_wrong_tests(text, {"accounts/test_keys.py::test_a_key": ways})
    assert (found == []) == (note == right_note)


@pytest.mark.parametrize("finding", FINDINGS)
def test_every_finding_has_tests_and_further_cases(finding: str) -> None:
    [section] = re.findall(
        rf"^## {finding}\. .+?$(.+?)(?=^## |\Z)", read_page("findings.md"), re.M | re.S
    )
    rows = [row for row in section.splitlines() if list_proofs(row)]
    found = {proof for row in rows if row.startswith("| as found |") for proof in list_proofs(row)}
    assert found
    tests = {proof for row in rows for proof in list_proofs(row)}
    assert len(tests - found) >= FURTHER_CASES


def test_every_requirement_is_answered_once() -> None:
    applying, _, others = read_page("asvs.md").partition("## Those that do not apply")
    rows = re.findall(r"^\| (\d[\d.]+) \| (.+) \| (.+) \|$", applying, re.M)
    assert all(answer and list_proofs(proof) for _, answer, proof in rows)
    left_out = re.findall(r"^\| ([\d., ]+) \| .+ \|$", others, re.M)
    answered = [number for number, *_ in rows]
    answered += [number for numbers in left_out for number in numbers.split(", ")]
    assert sorted(answered) == sorted(NUMBERS)


def test_what_is_not_met_is_named_at_the_beginning() -> None:
    beginning, _, tables = read_page("asvs.md").partition("## ")
    rows = [row for row in tables.splitlines() if "**" in row]
    assert rows
    for row in rows:
        assert re.search(rf"\b{re.escape(row.split()[1])}\b", beginning), row


def test_the_words_that_passwords_may_not_be_are_listed() -> None:
    page = read_page("accounts.md")
    assert all(f"`{word}`" in page for word in PRODUCT_WORDS)
    assert f"fewer than {MIN_OTHER_CHARS} other characters" in page
    assert f"Digits alone need {MIN_DIGITS}" in page


def test_times_and_lengths_are_those_of_the_code() -> None:
    days = MAX_SESSION_SECONDS // (24 * 60 * 60)
    assert f"whatever happens | {days} days |" in read_page("accounts.md")
    assert f"| {CODE_CHARS} of 31 characters" in read_page("cryptography.md")
