"""Check the structure of the product: short files, no circle of imports, raw SQL in few files.

Only imports that run when a module is loaded make a circle: not those inside functions or under
`TYPE_CHECKING`. That importing a module also loads the packages around it does not count either.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Set
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("accounts", "chat", "config", "streaming")
MAX_PYTHON_LINES = 300
MAX_STATIC_LINES = 350
"""For scripts and style sheets."""

LONG_FILES = {"config/settings.py"}
"""Settings are one file by decision."""

SQL_FILES = {
    "accounts/sign_up.py",  # an advisory lock
    "accounts/cache.py",  # an upsert with a condition, which the ORM has not
    "chat/rendering/cache.py",  # a time limit of locks
    "streaming/doors/sessions.py",  # users of many sessions at once
    "streaming/journal/postgresql.py",  # appends and reads
    "streaming/outage.py",  # asks the database whether it answers
}
SQL_CALLS = {"RawSQL", "execute", "executemany", "extra", "raw"}


def main() -> None:
    problems = [*check_lengths(ROOT), *check_imports(ROOT), *check_sql(ROOT)]
    if problems:
        sys.exit("\n".join(problems))


def check_lengths(root: Path) -> Iterator[str]:
    for file in sorted([*find_python(root), *find_static(root)]):
        lines = len(file.read_text().splitlines())
        limit = MAX_PYTHON_LINES if file.suffix == ".py" else MAX_STATIC_LINES
        if lines > limit and get_name(file, root) not in LONG_FILES:
            yield f"{get_name(file, root)} has {lines} lines; at most {limit} may be."


def check_imports(root: Path) -> Iterator[str]:
    modules = {get_module(file, root): file for file in find_python(root)}
    graph = {name: {*find_imports(name, file, modules.keys())} for name, file in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # The sorter names a module before those that import it.
        yield f"Imports go round in a circle: {' → '.join(reversed(error.args[1]))}"


def check_sql(root: Path) -> Iterator[str]:
    for file in find_python(root):
        if get_name(file, root) not in SQL_FILES:
            for call in find_sql(parse(file)):
                yield f"{get_name(file, root)}:{call.lineno} runs raw SQL; see SQL_FILES."


def find_python(root: Path) -> Iterator[Path]:
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            if "migrations" not in file.parts:
                yield file


def find_static(root: Path) -> Iterator[Path]:
    for file in (root / "static").rglob("*"):
        if file.suffix in {".css", ".js"} and "vendor" not in file.parts:
            yield file


def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def get_name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix()


def get_module(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def find_imports(module: str, file: Path, known: Set[str]) -> Iterator[str]:
    """The modules of ours that are imported while this one is loaded."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in walk_loaded(parse(file)):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names if alias.name in known)
            case ast.ImportFrom():
                source = resolve_source(node, package)
                names = {f"{source}.{alias.name}" for alias in node.names}
                # `from package import module` needs the module and not what the package holds.
                yield from names & known
                if source in known and names - known:
                    yield source


def walk_loaded(node: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when the module is loaded."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from walk_loaded(child)


def resolve_source(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    base = package.split(".")
    base = base[: len(base) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def find_sql(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in SQL_CALLS:
                yield node


if __name__ == "__main__":
    main()
