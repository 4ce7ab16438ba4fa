"""Reads environment variables and checks their values.

A wrong value stops the start with an ImproperlyConfigured that names the variable. django-environ
reads the file and parses URLs; its numbers and switches take any text, so they are parsed here.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import environ
from django.core.checks import CheckMessage, Warning, register
from django.core.exceptions import ImproperlyConfigured

from config.environment_rules import ANYTHING, Rule

T = TypeVar("T")

OLD_NAMES = {
    "DEMO_STREAMS": "MAX_DEMO_STREAMS_PER_WORKER",
    "FOLD_AFTER": "FOLD_AFTER_SECONDS",
    "KEYLESS_STREAMS": "MAX_KEYLESS_STREAMS_PER_WORKER",
    "MAX_UNFINISHED_PER_USER": "MAX_UNFINISHED_REPLIES_PER_USER",
    "ORIGINS": "TRUSTED_ORIGINS",
    "PROXIES": "TRUSTED_PROXY_COUNT",
    "SOCKETS_PER_USER": "MAX_SOCKETS_PER_USER",
    "STREAMS_PER_USER": "MAX_STREAMS_PER_USER",
    "STREAMS_PER_WORKER": "MAX_STREAMS_PER_WORKER",
    "TITLES": "GENERATE_TITLES",
}
"""Names that variables had before, with those of today. Installations still set them."""

ON_WORDS = frozenset(environ.Env.BOOLEAN_TRUE_STRINGS)
OFF_WORDS = frozenset({"false", "off", "n", "no", "0", ""})


class Environment:
    """The environment, and the variables of a file that the environment lacks."""

    def __init__(self, file: Path) -> None:
        self._env = environ.Env()
        if file.exists():
            self._env.read_env(file)

    def read_bool(self, name: str, *, default: bool) -> bool:
        return self._read(name, _parse_bool, default, Rule(lambda value: True, "on or off"))

    def read_int(self, name: str, *, default: int, minimum: int) -> int:
        rule = Rule(lambda value: value >= minimum, f"an integer of at least {minimum}")
        return self._read(name, int, default, rule)

    def read_float(self, name: str, *, default: float, minimum: float) -> float:
        rule = Rule(lambda value: minimum <= value < math.inf, f"a number of at least {minimum}")
        return self._read(name, _parse_float, default, rule)

    def read_choice(self, name: str, *, default: str, choices: Collection[str]) -> str:
        rule = Rule(lambda value: value in {default, *choices}, join_choices(choices))
        return self._read(name, str, default, rule)

    def read_str(self, name: str, *, default: str, rule: Rule = ANYTHING) -> str:
        return self._read(name, str, default, rule)

    def read_list(self, name: str, *, default: list[str], rule: Rule = ANYTHING) -> list[str]:
        return self._read(name, _parse_list, default, rule)

    def read_json(self, name: str, *, default: Any, rule: Rule) -> Any:
        return self._read(name, json.loads, default, rule)

    def _read(self, name: str, parse: Callable[[str], T], default: T, rule: Rule) -> T:
        name = _find_set_name(name)
        try:
            value: T = self._env.get_value(name, cast=parse, default=default)
            if rule.is_valid(value):
                return value
        except ValueError:
            pass
        shown = "" if rule.is_secret else f", not {os.environ.get(name)!r}"
        raise ImproperlyConfigured(f"{name} must be {rule.requirement}{shown}.")


@register()
def check_old_names(**kwargs: Any) -> list[CheckMessage]:
    return [
        Warning(
            f"{old} is set, and so is {new}, which counts."
            if new in os.environ
            else f"{old} has another name now: {new}.",
            hint=f"Remove {old}." if new in os.environ else f"Set {new} instead of {old}.",
            id="config.W001",
        )
        for old, new in OLD_NAMES.items()
        if old in os.environ
    ]


def _find_set_name(name: str) -> str:
    """Return the old name of a variable if only that one is set."""
    if name in os.environ:
        return name
    return next((old for old, new in OLD_NAMES.items() if new == name and old in os.environ), name)


def join_choices(choices: Collection[str]) -> str:
    *others, last = choices
    return f"{', '.join(others)} or {last}"


def _parse_bool(text: str) -> bool:
    word = text.strip().lower()
    if word not in ON_WORDS | OFF_WORDS:
        raise ValueError
    return word in ON_WORDS


def _parse_float(text: str) -> float:
    """django-environ would read “10 minutes” as 10."""
    return float(text)


def _parse_list(text: str) -> list[str]:
    return [entry for entry in map(str.strip, text.split(",")) if entry]
