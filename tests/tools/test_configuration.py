"""The page and the sample file about the settings are what the settings declare."""

import os
import subprocess
import sys
import textwrap

import pytest

from tools import configuration
from tools.configuration import ROOT, UndescribedVariable, Variable, read_variables

RECORD_READS = """
import environ

real = environ.Env.get_value

def record(self, name, *arguments, **options):
    print(name)
    return real(self, name, *arguments, **options)

environ.Env.get_value = record
import config.settings
"""


@pytest.fixture(scope="module")
def variables() -> list[Variable]:
    return [*read_variables(configuration.SETTINGS.read_text())]


def test_the_page_and_the_sample_file_are_up_to_date(variables: list[Variable]) -> None:
    hint = "run `make configuration`"
    assert configuration.PAGE.read_text() == configuration.render_page(variables), hint
    assert configuration.EXAMPLE.read_text() == configuration.render_example(variables), hint
    page = configuration.ENGINE_PAGE.read_text()
    assert page == configuration.replace_engine_table(page), hint


def test_the_table_of_the_engine_is_replaced_between_its_marks() -> None:
    page = "Before\n<!-- settings: from conf.py -->\nold\n<!-- settings end -->\nAfter\n"
    lines = configuration.replace_engine_table(page).splitlines()
    assert (lines[0], lines[-2:]) == ("Before", ["<!-- settings end -->", "After"])
    assert any(line.startswith("| `STREAMING_DRAIN_SECONDS` | `30` |") for line in lines)
    assert "old" not in lines


def test_every_variable_that_the_settings_read_is_declared(variables: list[Variable]) -> None:
    """Importing the settings with a recorder finds reads that the tool would not recognise."""
    done = subprocess.run(
        [sys.executable, "-c", RECORD_READS],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DEBUG": "on"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {*done.stdout.split()} == {variable.name for variable in variables}


def test_every_variable_has_a_description(variables: list[Variable]) -> None:
    assert all(variable.text.endswith(".") and variable.value for variable in variables)
    assert len({variable.name for variable in variables}) == len(variables)


def read(source: str) -> list[Variable]:
    return [*read_variables(textwrap.dedent(source))]


def test_a_variable_has_its_group_value_default_and_text() -> None:
    [shell, boats] = read(
        '''
        # Beach ----------------

        SHELL = env.read_bool("SHELL", default=False)
        """Open
        or not."""

        # Harbour --------------

        BOATS = env.read_int("BOATS", default=2 * 60 if SHELL else 3, minimum=1)  # boats
        """How many."""
        '''
    )
    assert shell == Variable("SHELL", "off", "on or off", "Open or not.", "Beach")
    assert boats == Variable("BOATS", "3", "boats, at least 1", "How many.", "Harbour", minimum=1)


@pytest.mark.parametrize(
    "source",
    ['BOATS = env.read_int("BOATS", default=1)', 'BOATS = env.read_int("BOATS")\n"""How many."""'],
)
def test_a_variable_without_text_or_default_is_an_error(source: str) -> None:
    with pytest.raises(UndescribedVariable, match="BOATS"):
        read(f"# Harbour ------\n{source}\n")
