"""Reads the rows of configuration that describe servers with OpenAI's Chat Completions.

No message shows a value: addresses and headers may hold secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from streaming.providers.catalog import PROVIDERS, Model, Provider, model_from_id
from streaming.providers.catalog.naming import MAX_MODEL_NAME_CHARS
from streaming.providers.catalog.options import DEFAULT_FIRST_WORD_SECONDS, ServerOptions
from streaming.providers.redaction import Secret

PROVIDER_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
HOST = re.compile(r"[a-z0-9_.-]+")
MAX_HEADER_CHARS = 8_000
MAX_SECONDS = 24 * 60 * 60
MAX_TOKENS = 2**31 - 1
MAX_EFFORT_CHARS = 20
OWN_HEADERS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host"}
) | {"transfer-encoding"}
"""Headers that a request has in any case."""
OWN_FIELDS = frozenset({"messages", "model", "stream"})
"""Fields of a body without which a request would be no request for this reply."""


class InvalidProviderConfig(ValueError):
    """A row of configuration describes no provider. The message gives the reason."""


class Field(NamedTuple):
    """A field of a row or a model. `requirement` completes “must be”."""

    is_valid: Callable[[Any], bool]
    requirement: str
    attribute: str = ""
    """That of `Model`, for a field that says something of models."""


def _is_name(value: Any, max_chars: int = 100) -> bool:
    is_text = isinstance(value, str) and value == value.strip() and value.isprintable()
    return is_text and 0 < len(value) <= max_chars


def _is_number(value: Any, kinds: type[int] | tuple[type[int], type[float]], maximum: int) -> bool:
    if isinstance(value, bool) or not isinstance(value, kinds):
        return False
    return bool(1 <= value <= maximum)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _are_efforts(value: Any) -> bool:
    return isinstance(value, list) and all(
        _is_name(word, MAX_EFFORT_CHARS) and " " not in word for word in value
    )


def _are_headers(value: Any) -> bool:
    return isinstance(value, dict) and all(
        HEADER_NAME.fullmatch(name) and name.lower() not in OWN_HEADERS and _is_header_value(text)
        for name, text in value.items()
    )


def _is_header_value(value: Any) -> bool:
    text = value.reveal() if isinstance(value, Secret) else value
    return _is_name(text, MAX_HEADER_CHARS) and text.isascii()


def _is_body(value: Any) -> bool:
    """Also whether it can be sent: JSON has no NaN, no Infinity and no half of a character."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError):
        return False
    return isinstance(value, dict) and not OWN_FIELDS & value.keys()


def _is_url(value: Any) -> bool:
    try:
        parts = urlsplit(value)
        host = (parts.hostname or "").encode("idna").decode()  # refuses empty labels and long ones
        is_plain = value.isprintable() and " " not in value and not {"?", "#"} & set(value)
        is_host = bool(HOST.fullmatch(host) or ":" in host)
        return parts.scheme in {"http", "https"} and is_host and is_plain and parts.port != 0
    except (ValueError, TypeError, AttributeError):
        return False


URL_REQUIREMENT = "a URL that begins with http:// or https://, without blanks, ? and #"
_TOKENS = f"a whole number of tokens from 1 to {MAX_TOKENS}"
MODEL_FIELDS = {
    "temperature": Field(_is_bool, "true or false", "takes_temperature"),
    "max_tokens": Field(_is_bool, "true or false", "takes_max_tokens"),
    "system": Field(_is_bool, "true or false", "refused_parts"),
    "efforts": Field(
        _are_efforts,
        f'a list of words of at most {MAX_EFFORT_CHARS} characters, such as ["low", "high"]',
        "efforts",
    ),
    "context_window": Field(lambda v: _is_number(v, int, MAX_TOKENS), _TOKENS, "context_window"),
    "max_output": Field(lambda v: _is_number(v, int, MAX_TOKENS), _TOKENS, "max_output"),
}
"""Fields of a row's `takes`, for all its models, and of an entry of `models`, for one."""
NAMED_MODEL_FIELDS = {
    "id": Field(
        lambda v: _is_name(v, MAX_MODEL_NAME_CHARS),
        f"a name of at most {MAX_MODEL_NAME_CHARS} characters",
    ),
    "label": Field(_is_name, "a text of at most 100 characters", "label"),
    **MODEL_FIELDS,
}
ROW_FIELDS = {
    "id": Field(
        lambda v: isinstance(v, str) and bool(PROVIDER_ID.fullmatch(v)),
        "at most 50 lower-case letters, digits, - and _",
    ),
    "name": Field(_is_name, "a text of at most 100 characters"),
    "url": Field(_is_url, URL_REQUIREMENT),
    "needs_key": Field(_is_bool, "true or false"),
    "models": Field(
        lambda v: isinstance(v, list) and all(isinstance(entry, (str, dict)) for entry in v),
        "a list of names, or of objects with an “id”",
    ),
    "takes": Field(lambda v: isinstance(v, dict), "an object"),
    "first_word_seconds": Field(
        lambda v: _is_number(v, (int, float), MAX_SECONDS),
        f"a number of seconds from 1 to {MAX_SECONDS}, such as {DEFAULT_FIRST_WORD_SECONDS:.0f}",
    ),
    "headers": Field(
        _are_headers,
        "an object of header names and texts without line ends. "
        f"It may not have {', '.join(sorted(OWN_HEADERS))}",
    ),
    "body": Field(
        _is_body,
        f"an object without {', '.join(sorted(OWN_FIELDS))}, and without NaN, Infinity and halves "
        "of surrogate pairs",
    ),
}


def parse_provider_config(row: Any, number: int = 1) -> tuple[Provider, tuple[Model, ...]]:
    """The provider that a row of configuration describes, and the models it names. `number` names a
    row without an id in messages.

    Models take every parameter of a chat completion unless the row says otherwise; one that a
    server refuses is left out from then on. Raises `InvalidProviderConfig`.
    """
    if not isinstance(row, dict) or not ROW_FIELDS["id"].is_valid(row.get("id")):
        raise InvalidProviderConfig(
            f"Row {number} needs an “id” of {ROW_FIELDS['id'].requirement}."
        )
    where = f"Row “{row['id']}”"
    if row["id"] in PROVIDERS:
        raise InvalidProviderConfig(
            f"{where}: There is already a provider of this id. Give each row another one."
        )
    if not ROW_FIELDS["url"].is_valid(row.get("url")):
        raise InvalidProviderConfig(f"{where} needs a “url”: {URL_REQUIREMENT}.")
    _check_fields(where, row, ROW_FIELDS)
    if row.get("needs_key") and "authorization" in map(str.lower, row.get("headers", ())):
        raise InvalidProviderConfig(
            f"{where}: “headers” may not have Authorization, because “needs_key” is true and each "
            "person's key stands there."
        )
    takes = row.get("takes", {})
    _check_fields(f"{where}, “takes”", takes, MODEL_FIELDS)
    provider = Provider(
        row["id"],
        str(row.get("name", row["id"])),
        row.get("needs_key", False),
        row["url"],
        options=_build_options(row),
        model_defaults=_read_model_fields(takes),
    )
    models = (_parse_model(where, entry, provider) for entry in row.get("models", ()))
    return provider, tuple({model.id: model for model in models}.values())


def find_similar_rows(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences about valid rows that people can't tell apart, or that name something twice."""
    sentences = []
    for number, row in enumerate(rows):
        for other in rows[:number]:
            for field in ("name", "url"):
                if row.get(field) and row.get(field) == other.get(field):
                    sentences.append(
                        f"Rows “{other['id']}” and “{row['id']}” have the same {field}."
                    )
        names = [
            entry if isinstance(entry, str) else entry["id"] for entry in row.get("models", [])
        ]
        sentences += [
            f"Row “{row['id']}” names the model “{name[:80]}” twice."
            for name in dict.fromkeys(name for name in names if names.count(name) > 1)
        ]
    return sentences


def _check_fields(where: str, values: Mapping[str, Any], known: Mapping[str, Field]) -> None:
    """Raises `InvalidProviderConfig`, also for an unknown field, which may be a misspelled one."""
    for name, value in values.items():
        if name not in known:
            raise InvalidProviderConfig(
                f"{where}: unknown field “{name[:50]}”. Known ones are {', '.join(known)}."
            )
        if not known[name].is_valid(value):
            raise InvalidProviderConfig(f"{where}: “{name}” must be {known[name].requirement}.")


def _build_options(row: Mapping[str, Any]) -> ServerOptions:
    headers = {
        name: text if isinstance(text, Secret) else Secret(text)
        for name, text in row.get("headers", {}).items()
    }
    return ServerOptions(
        float(row.get("first_word_seconds", DEFAULT_FIRST_WORD_SECONDS)),
        headers,
        row.get("body", {}),
    )


def _read_model_fields(values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Attributes of `Model` with their values."""
    attributes = {
        NAMED_MODEL_FIELDS[name].attribute: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if NAMED_MODEL_FIELDS[name].attribute
    }
    if "system" in values:
        attributes["refused_parts"] = () if values["system"] else ("system",)
    return tuple(attributes.items())


def _parse_model(where: str, entry: str | dict[str, Any], provider: Provider) -> Model:
    values = {"id": entry} if isinstance(entry, str) else entry
    _check_fields(f"{where}, “models”", {"id": None, **values}, NAMED_MODEL_FIELDS)
    model = model_from_id(values["id"], provider)
    facts: dict[str, Any] = dict(_read_model_fields(values))
    return replace(model, **facts)
