"""Check names: few functions of one word, and in the product no class name twice.

A function is named by what it does to what: `read_heads`, not `heads`. Some verbs need no object,
so a share of one-word names is fine.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("accounts", "chat", "config", "streaming")
TEST_PACKAGES = ("benchmarks", "tests", "tools")
MAX_ONE_WORD_SHARE = 0.45
PRESCRIBED_CLASSES = {"Command", "DatabaseWrapper", "Media", "Meta"}
"""Django finds these by their name."""


def main() -> None:
    files = find_files(PACKAGES)
    problems = [
        *check_functions("product", files),
        *check_functions("tests and tools", find_files(TEST_PACKAGES)),
        *check_classes(files),
    ]
    if problems:
        sys.exit("\n".join(problems))


def find_files(packages: Iterable[str]) -> list[Path]:
    found = (file for package in packages for file in sorted((ROOT / package).rglob("*.py")))
    return [file for file in found if "migrations" not in file.parts]


def check_functions(what: str, files: Iterable[Path]) -> Iterator[str]:
    """Tests are sentences, so they do not count."""
    names = [node.name for _, node in walk_definitions(files) if not is_class(node)]
    names = [name.strip("_") for name in names if not name.startswith(("__", "test_"))]
    one_word = [name for name in names if "_" not in name]
    share = len(one_word) / len(names)
    print(f"{what}: {len(one_word)} of {len(names)} functions have a one-word name, {share:.0%}")
    if share > MAX_ONE_WORD_SHARE:
        yield f"At most {MAX_ONE_WORD_SHARE:.0%} may. Name functions by verb and object."


def check_classes(files: Iterable[Path]) -> Iterator[str]:
    places: dict[str, list[str]] = defaultdict(list)
    for file, node in walk_definitions(files):
        if is_class(node) and node.name not in PRESCRIBED_CLASSES:
            places[node.name].append(f"{file.relative_to(ROOT)}:{node.lineno}")
    for name, found in places.items():
        if len(found) > 1:
            yield f"Two classes are named {name}: {', '.join(found)}"


def walk_definitions(files: Iterable[Path]) -> Iterator[tuple[Path, Definition]]:
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, Definition):
                yield file, node


def is_class(node: Definition) -> bool:
    return isinstance(node, ast.ClassDef)


if __name__ == "__main__":
    main()
