"""Write what `make configuration` writes: docs/configuration.md and .env.example from
config/settings.py, and the table of settings in streaming/README.md from streaming/conf.py.

The settings declare each variable where they read it, as their first lines say.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from config.environment import OLD_NAMES, join_choices
from streaming.conf import list_settings

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ROOT / "config" / "settings.py"
PAGE = ROOT / "docs" / "configuration.md"
EXAMPLE = ROOT / ".env.example"
ENGINE_PAGE = ROOT / "streaming" / "README.md"

ENGINE_TABLE = re.compile(r"(?<=conf\.py -->\n).*(?=<!-- settings end -->)", re.DOTALL)

GROUP = re.compile(r"^# (.+?) -{5,}$", re.MULTILINE)
VALUES = {
    "read_bool": "on or off",
    "read_float": "number",
    "read_int": "number",
    "read_json": "JSON",
    "read_list": "comma-separated",
    "read_str": "text",
}
"""The kind of a value, by the method that reads it, if the settings say nothing more exact."""

PAGE_HEAD = """\
# Configuration

<!-- Written by `make configuration` from config/settings.py. -->

Holdfast reads these environment variables, and those in a file `.env` beside `manage.py`. The
environment overrides the file. `make run` writes the two secrets into `.env` once. The defaults are
those that hold if no variable is set.

{old_names}
"""
EXAMPLE_HEAD = """\
# Written by `make configuration` from config/settings.py. Copy lines into `.env` and remove the `#`
# in front of the variable. The values are the defaults.
"""


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable as the settings declare it."""

    name: str
    default: str
    value: str
    text: str
    group: str
    minimum: int | None = None
    """For a number."""


class UndescribedVariable(Exception):
    """The settings read a variable and say nothing about it."""


def main() -> None:
    variables = [*read_variables(SETTINGS.read_text())]
    PAGE.write_text(render_page(variables))
    EXAMPLE.write_text(render_example(variables))
    ENGINE_PAGE.write_text(replace_engine_table(ENGINE_PAGE.read_text()))


def read_variables(source: str) -> Iterator[Variable]:
    """All variables in the order in which the settings read them. Raises UndescribedVariable."""
    comments = read_comments(source)
    groups = [(source.count("\n", 0, m.start()) + 1, m[1]) for m in GROUP.finditer(source)]
    statements = ast.parse(source).body
    known: dict[str, Any] = {"max": max}
    for statement, following in zip(statements, [*statements[1:], None], strict=True):
        for call in find_reads(statement):
            name = ast.literal_eval(call.args[0])
            default = evaluate_default(call, known)
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                known[statement.targets[0].id] = default
            if (text := get_text(following)) is None:
                raise UndescribedVariable(f"config/settings.py describes {name} nowhere.")
            yield Variable(
                name=name,
                default=format_default(default, get_method(call)),
                value=describe_value(call, comments.get(call.args[0].lineno)),
                text=text,
                group=[title for line, title in groups if line < call.lineno][-1],
                minimum=evaluate_argument(call, "minimum", {}),
            )


def read_comments(source: str) -> dict[int, str]:
    """The comments that stand behind code, by line."""
    tokens = tokenize.generate_tokens(StringIO(source).readline)
    return {
        token.start[0]: token.string.removeprefix("#").strip()
        for token in tokens
        if token.type == tokenize.COMMENT and not token.line.lstrip().startswith("#")
    }


def find_reads(statement: ast.stmt) -> list[ast.Call]:
    """The calls of `env.read_str("NAME")` and the like."""
    return [
        node
        for node in ast.walk(statement)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
    ]


def get_method(call: ast.Call) -> str:
    assert isinstance(call.func, ast.Attribute)
    return call.func.attr


def evaluate_default(call: ast.Call, known: dict[str, Any]) -> Any:
    """The default that holds if the variables before have theirs."""
    default = evaluate_argument(call, "default", known)
    if default is None:
        raise UndescribedVariable(f"{ast.unparse(call)} in config/settings.py names no default.")
    return default


def evaluate_argument(call: ast.Call, name: str, known: dict[str, Any]) -> Any:
    """The value of a keyword argument; None if it is not there."""
    for keyword in call.keywords:
        if keyword.arg == name:
            code = compile(ast.Expression(keyword.value), str(SETTINGS), "eval")
            return eval(code, {"__builtins__": {}}, known)  # noqa: S307 our own source # nosec B307
    return None


def describe_value(call: ast.Call, comment: str | None) -> str:
    """By the comment behind the name, or by the choices; with the minimum."""
    method = get_method(call)
    if method == "read_choice":
        return comment or join_choices(evaluate_argument(call, "choices", {}))
    minimum = evaluate_argument(call, "minimum", {})
    limit = "" if minimum is None else f", at least {minimum}"
    return f"{comment or VALUES[method]}{limit}"


def get_text(statement: ast.stmt | None) -> str | None:
    """The string that stands alone as a statement, on one line."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split())
    return None


def format_default(default: Any, method: str) -> str:
    """As it would stand in `.env`."""
    match method:
        case "read_bool":
            return "on" if default else "off"
        case "read_json":
            return json.dumps(default)
        case "read_list":
            return ",".join(default)
    return str(default)


def render_page(variables: list[Variable]) -> str:
    lines = [PAGE_HEAD.format(old_names=describe_old_names())]
    group = ""
    for variable in variables:
        if variable.group != group:
            group = variable.group
            lines += ["", f"## {group}", "", "| variable | default | value | meaning |"]
            lines += ["|---|---|---|---|"]
        default = f"`{variable.default}`" if variable.default else "empty"
        cells = (f"`{variable.name}`", default, variable.value, variable.text)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def describe_old_names() -> str:
    names = ", ".join(f"`{old}` (now `{new}`)" for old, new in OLD_NAMES.items())
    sentence = (
        f"Names of earlier versions still work, and `manage.py check` warns of them: {names}."
    )
    return textwrap.fill(sentence, 100, break_long_words=False)


def replace_engine_table(page: str) -> str:
    """The page with the settings of the engine between its two marks."""
    rows = [f"| `{s.name}` | `{s.default!r}` | {s.__doc__} |" for s in list_settings()]
    lines = ["| setting | default | what it does |", "| --- | --- | --- |", *rows]
    return ENGINE_TABLE.sub(lambda _: "\n".join(lines) + "\n", page)


def render_example(variables: list[Variable]) -> str:
    lines = [EXAMPLE_HEAD.rstrip()]
    group = ""
    for variable in variables:
        if variable.group != group:
            group = variable.group
            lines += ["", "", f"# {group}"]
        text = f"{variable.text} Value: {variable.value}."
        wrapped = textwrap.wrap(text, 98, break_long_words=False, break_on_hyphens=False)
        lines += ["", *(f"# {line}" for line in wrapped), f"#{variable.name}={variable.default}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
