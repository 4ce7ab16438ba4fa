"""The routes in docs/architecture.md, and the source of the functions that they link."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
LINK = re.compile(r"\[`([^`]+)`\]\(\.\./([^)]+)\)")
TOKEN = "One token, from the provider's bytes to the pixel"
POST = "One POST, from the form to the queued stream"


@dataclass(frozen=True)
class Function:
    """A linked function: `name` or `Class.name`, and the file that defines it."""

    name: str
    file: str

    @property
    def short_name(self) -> str:
        return self.name.rsplit(".", 1)[-1]

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"

    def read_source(self) -> str:
        """Empty if the file defines no such function."""
        text = (ROOT / self.file).read_text()
        find = find_script_function if self.file.endswith(".js") else find_python_function
        return find(text, self.name)


@dataclass(frozen=True)
class Row:
    number: int
    hop: Function
    by: str
    """How the hop receives the token."""
    wakers: list[Function]
    helpers: list[Function]


def read_section(heading: str) -> str:
    return PAGE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def read_links(heading: str) -> list[Function]:
    return find_links(read_section(heading))


def find_links(text: str) -> list[Function]:
    return [Function(*link) for link in LINK.findall(text)]


def read_rows(part: str) -> list[Row]:
    """The rows of a table: number, hop, by, helpers, description."""
    cells = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in part.splitlines()
        if re.match(r"\| *\d+ *\|", line)
    ]
    return [
        Row(
            number=int(number),
            hop=find_links(hop)[0],
            by=by.split(";")[0],
            wakers=find_links(by),
            helpers=find_links(helpers),
        )
        for number, hop, by, helpers, _ in cells
    ]


def read_token_route() -> list[list[Row]]:
    """The rows of each process."""
    return [read_rows(part) for part in read_section(TOKEN).split("| # | hop |")[1:]]


def count_turns_back(files: list[str]) -> int:
    """How often a route returns to a file that it has left."""
    visits = [file for i, file in enumerate(files) if i == 0 or files[i - 1] != file]
    return len(visits) - len(set(visits))


def find_python_function(text: str, name: str) -> str:
    """A class counts as well: a form has no function of its own."""
    body: list[ast.stmt] = ast.parse(text).body
    found: ast.stmt | None = None
    for part in name.split("."):
        found = next((node for node in body if getattr(node, "name", "") == part), None)
        if not isinstance(found, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            return ""
        body = found.body
    return (found and ast.get_source_segment(text, found)) or ""


def find_script_function(text: str, name: str) -> str:
    """A function at the top level, or a member of a class. The formatter indents them so."""
    *classes, short_name = name.split(".")
    indent = ""
    for class_name in classes:
        text = find_block(text, rf"(?:export )?class {class_name}\b")
        indent = "  "
    keywords = r"(?:export )?(?:static )?(?:async )?(?:function)?\*? ?"
    return find_block(text, rf"{indent}{keywords}{re.escape(short_name)}\(", indent)


def find_block(text: str, start: str, indent: str = "") -> str:
    """From a line that begins so to the next closing brace with this indent."""
    block = re.search(rf"^{start}.*?^{indent}\}}", text, re.MULTILINE | re.DOTALL)
    return block[0] if block else ""


def mentions(source: str, name: str) -> bool:
    return re.search(rf"(?<![\w#]){re.escape(name)}(?!\w)", source) is not None
