"""docs/limits.md names every limit that an operator can set, and the values of the code."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from accounts.form_limits import FORM_LIMITERS, PREFIX
from accounts.rate_limits import RateLimit
from tools.configuration import read_variables

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "limits.md").read_text()
ROWS = dict(re.findall(r"^\| (.+?) \| (.+?) \|", PAGE, re.MULTILINE))
CONSTANTS = [row for row in ROWS if re.fullmatch(r"`[A-Z_]+` in `[\w/.]+`", row)]


def list_numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def test_every_limit_that_can_be_set_is_on_the_page_with_its_default() -> None:
    variables = read_variables((ROOT / "config" / "settings.py").read_text())
    limits = {variable.name for variable in variables if variable.name.startswith("MAX_")}
    assert len(limits) >= 11
    assert {row.strip("`") for row in ROWS if re.fullmatch(r"`MAX_\w+`", row)} == limits


@pytest.mark.parametrize("row", [row for row in ROWS if re.fullmatch(r"`MAX_\w+`", row)])
def test_a_default_on_the_page_is_that_of_the_settings(row: str) -> None:
    configuration = (ROOT / "docs" / "configuration.md").read_text()
    found = re.search(rf"^\| {row} \| `(\d+)`", configuration, re.MULTILINE)
    if found is None:  # it depends on another one
        return
    assert list_numbers(ROWS[row])[0] == int(found[1])


@pytest.mark.parametrize("row", CONSTANTS)
def test_a_constant_on_the_page_has_the_value_of_the_code(row: str) -> None:
    name, file = re.findall(r"`([^`]+)`", row)
    value = getattr(import_module(file.removesuffix(".py").replace("/", ".")), name)
    expected = [value.max_count, value.window_seconds] if isinstance(value, RateLimit) else [value]
    numbers = list_numbers(ROWS[row])
    assert numbers[: len(expected)] == expected


def test_the_limits_of_forms_on_the_page_are_those_of_the_code() -> None:
    for prefix, limiter in FORM_LIMITERS.items():
        name = "other forms of accounts" if prefix == PREFIX else f"`{prefix}`"
        numbers = list_numbers(ROWS[f"{name} in `accounts/form_limits.py`"])
        assert numbers[:2] == [limiter.max_per_client, limiter.max_of_all]
