"""The parameters of requests: a check for each, which returns the value that counts.

A parameter that the gateway does not support is refused, unless it has the value that it has
anyway. Null means that a parameter is not given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from chat.api.problems import Problem
from chat.doors.gateway.errors import build_invalid
from chat.replies.settings import clean_text
from streaming.storable_text import replace_unstorable

Check = Callable[[str, Any], Any]
"""Called with the name and the value of a parameter. Raises Problem."""

MAX_METADATA_PAIRS = 16
MAX_METADATA_NAME_CHARS = 64
MAX_METADATA_CHARS = 512


def read_parameters(body: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    """The values of the given parameters. Raises Problem."""
    for name in body:
        if name not in checks:
            text = _("Unknown parameter: “%(name)s”.") % {"name": name[:100]}
            raise build_invalid(name[:100], text, "unknown_parameter")
    return {
        name: check(name, body[name])
        for name, check in checks.items()
        if body.get(name) is not None
    }


def read_query(query: Mapping[str, str], *names: str) -> dict[str, str]:
    """The parameters of an address. Raises Problem for any others. `include` is known everywhere
    and supported nowhere, as in bodies."""
    for name in query:
        if name in ("include", "include[]"):
            raise build_unsupported("include")
        if name not in names:
            text = _("Unknown parameter: “%(name)s”.") % {"name": name[:100]}
            raise build_invalid(name[:100], text, "unknown_parameter")
    return {name: query[name] for name in names if name in query}


def read_flag(name: str, value: str) -> bool:
    """A parameter of an address that is true or false. Raises Problem."""
    if value not in ("true", "1", "false", "0"):
        raise build_invalid(name, _("“%(name)s” must be true or false.") % {"name": name})
    return value in ("true", "1")


# Checks


def unsupported(name: str, value: Any) -> Any:
    raise build_unsupported(name)


def only(*values: Any) -> Check:
    """A parameter of which only these values are supported."""

    def check(name: str, value: Any) -> Any:
        # True is equal to 1 in Python, but not in JSON.
        if not any(value == one and type(value) is type(one) for one in values):
            raise build_unsupported(name)
        return value

    return check


def choice(*values: str) -> Check:
    """One of these texts."""

    def check(name: str, value: Any) -> Any:
        if value not in values:
            sentence = _("“%(name)s” must be one of %(values)s.")
            raise build_invalid(name, sentence % {"name": name, "values": ", ".join(values)})
        return value

    return check


def number_that_is(expected: float) -> Check:
    def check(name: str, value: Any) -> float:
        if number(-1e9, 1e9)(name, value) != expected:
            raise build_unsupported(name)
        return expected

    return check


def boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise build_invalid(name, _("“%(name)s” must be true or false.") % {"name": name})
    return value


def integer(least: int, most: int) -> Check:
    def check(name: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            text = _("“%(name)s” must be a whole number from %(least)s to %(most)s.")
            raise build_invalid(name, text % {"name": name, "least": least, "most": most})
        return value

    return check


def number(least: float, most: float) -> Check:
    def check(name: str, value: Any) -> float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not least <= value <= most:
            text = _("“%(name)s” must be a number from %(least)s to %(most)s.")
            raise build_invalid(name, text % {"name": name, "least": least, "most": most})
        return float(value)

    return check


def text(most_chars: int) -> Check:
    """A text with `\\n` for line ends."""
    exact = exact_text(most_chars)
    return lambda name, value: clean_text(exact(name, value))


def exact_text(most_chars: int) -> Check:
    """A text without a change, but for what no database stores."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise build_invalid(name, _("“%(name)s” must be a text.") % {"name": name})
        if len(value) > most_chars:
            sentence = _("“%(name)s” is too long: at most %(count)s characters.")
            values = {"name": name, "count": most_chars}
            raise build_invalid(name, sentence % values, "string_above_max_length")
        return replace_unstorable(value)

    return check


def mapping(**checks: Check) -> Check:
    """An object with these fields."""

    def check(name: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise build_invalid(name, _("“%(name)s” must be an object.") % {"name": name})
        named = {f"{name}.{field}": one for field, one in value.items()}
        found = read_parameters(named, {f"{name}.{field}": one for field, one in checks.items()})
        return {path.removeprefix(f"{name}."): one for path, one in found.items()}

    return check


def plain_text_format(name: str, value: Any) -> dict[str, Any]:
    """The format of the output. One of another type has fields of its own, which nobody needs to
    know."""
    if isinstance(value, dict) and value.get("type") not in ("text", None):
        raise build_unsupported(f"{name}.type")
    return mapping(type=only("text"))(name, value)


def metadata(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MAX_METADATA_PAIRS:
        sentence = _("“%(name)s” must be an object with at most %(count)s texts.")
        raise build_invalid(name, sentence % {"name": name, "count": MAX_METADATA_PAIRS})
    return {
        exact_text(MAX_METADATA_NAME_CHARS)(name, key): exact_text(MAX_METADATA_CHARS)(
            f"{name}.{key}"[:100], one
        )
        for key, one in value.items()
    }


def build_unsupported(name: str) -> Problem:
    sentence = _("The gateway does not support “%(name)s”, or this value of it.")
    return build_invalid(name, sentence % {"name": name}, "unsupported_parameter")
