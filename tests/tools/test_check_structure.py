"""The check of the structure finds what it looks for, in a small tree made for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tools import check_structure

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, *lines: str) -> None:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in lines))

    return write_file


@pytest.mark.parametrize("name", ["chat/whale.py", "static/js/whale.js", "static/css/whale.css"])
def test_a_file_that_is_too_long_is_found(write: Write, tmp_path: Path, name: str) -> None:
    longest = check_structure.MAX_PYTHON_LINES if name.endswith(".py") else 350
    write(name, *["" for _ in range(longest)])
    assert not [*check_structure.check_lengths(tmp_path)]
    write(name, *["" for _ in range(longest + 1)])
    [problem] = check_structure.check_lengths(tmp_path)
    assert problem == f"{name} has {longest + 1} lines; at most {longest} may be."


@pytest.mark.parametrize(
    "name", ["config/settings.py", "chat/migrations/0001.py", "static/vendor/x.js", "tests/x.py"]
)
def test_files_that_may_be_long_are_not_found(write: Write, tmp_path: Path, name: str) -> None:
    write(name, *["" for _ in range(1000)])
    assert not [*check_structure.check_lengths(tmp_path)]


@pytest.mark.parametrize(
    "line",
    [
        "import chat.whale",
        "from chat import whale",
        "from chat.whale import swim",
        "from . import whale",
        "from .whale import swim",
        "try:\n    from chat.whale import swim\nexcept ImportError:\n    pass",
        "class Krill:\n    from chat.whale import swim",
    ],
)
def test_a_circle_of_imports_is_found(write: Write, tmp_path: Path, line: str) -> None:
    write("chat/krill.py", line)
    write("chat/whale.py", "from chat.plankton import drift")
    write("chat/plankton.py", "from chat.krill import Krill")
    [problem] = check_structure.check_imports(tmp_path)
    circle = problem.removeprefix("Imports go round in a circle: ").split(" → ")
    assert circle[0] == circle[-1]
    steps = {(circle[at], circle[at + 1]) for at in range(3)}
    assert steps == {
        ("chat.krill", "chat.whale"),
        ("chat.whale", "chat.plankton"),
        ("chat.plankton", "chat.krill"),
    }


def test_a_circle_over_a_package_is_found(write: Write, tmp_path: Path) -> None:
    write("chat/reef/__init__.py", "from chat.reef.crab import walk", "SAND = 1")
    write("chat/reef/crab.py", "from chat.reef import SAND")
    [problem] = check_structure.check_imports(tmp_path)
    assert problem.endswith("chat.reef → chat.reef.crab → chat.reef") or problem.endswith(
        "chat.reef.crab → chat.reef → chat.reef.crab"
    )


@pytest.mark.parametrize(
    "line",
    [
        "def swim():\n    from chat.whale import swim",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from chat.whale import swim",
        "import json",
    ],
)
def test_imports_that_do_not_run_at_once_make_no_circle(
    write: Write, tmp_path: Path, line: str
) -> None:
    write("chat/krill.py", line)
    write("chat/whale.py", "from chat.krill import Krill")
    assert not [*check_structure.check_imports(tmp_path)]


def test_a_package_may_gather_its_modules(write: Write, tmp_path: Path) -> None:
    write("chat/reef/__init__.py", "from chat.reef.crab import walk")
    write("chat/reef/crab.py", "from chat.reef import shell")
    write("chat/reef/shell.py")
    assert not [*check_structure.check_imports(tmp_path)]


def test_raw_sql_is_found_outside_of_its_files(write: Write, tmp_path: Path) -> None:
    line = "cursor.execute('SELECT 1')"
    write("chat/krill.py", "", line)
    write(sorted(check_structure.SQL_FILES)[0], line)
    [problem] = check_structure.check_sql(tmp_path)
    assert problem == "chat/krill.py:2 runs raw SQL; see SQL_FILES."


def test_files_with_raw_sql_are_still_there() -> None:
    for name in check_structure.SQL_FILES:
        assert [*check_structure.find_sql(check_structure.parse(check_structure.ROOT / name))]
