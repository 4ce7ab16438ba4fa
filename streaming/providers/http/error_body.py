"""The words of an error response, whatever its shape.

Servers agree on no shape: OpenAI's object, FastAPI's and pydantic's lists, a sentence, a page, and
proxies put the answer of the server behind them, as JSON, into a string of their own.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

MAX_DEPTH = 8
MAX_ITEMS = 20
"""Entries of a list, and sentences, that are read."""
MAX_SENTENCE_CHARS = 4_000
MAX_PAGE_CHARS = 20_000
"""An answer may have a megabyte, in which a search for words would hold up the event loop."""

CODE_FIELDS = (
    *("code", "type", "status", "reason", "error_code", "errorCode", "error_type"),
    "status_code",
)
TEXT_FIELDS = (
    *("message", "msg", "detail", "details", "title", "error", "errors", "error_message"),
    *("error_msg", "errorMessage", "error_description", "description", "reason", "metadata", "raw"),
    *("fieldViolations", "cause", "status_msg", "issues"),
)
EXTRA_FIELDS = ("additionalProperty", "unevaluatedProperty")
"""Names of fields that the schema does not have, in the `params` of an error of ajv."""
NAME_FIELDS = (
    *("param", "loc", "parameter", "field", "pointer", "propertyPath"),
    *("instancePath", "dataPath"),
)
VIOLATION_FIELDS = ("violations", "invalid-params", "invalid_params", "invalidParams")
"""Lists of the fields that are wrong, of Symfony and RFC 7807."""
PATH_FIELDS = ("path", "keys")
"""Lists of names in zod's issues. Elsewhere a path is an address, which is no list."""
_PAGE = re.compile(r"\s*(<!doctype|<html|<head|<\?xml)", re.IGNORECASE)
_HIDDEN_TAGS = re.compile(r"<(script|style|title)\b.*?</\1>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_CODE = re.compile(r"[\w.:-]{1,80}", re.ASCII)


@dataclass(slots=True)
class ErrorBody:
    """The codes, the sentences and the named fields of an error, in the order of the body."""

    codes: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    is_page: bool = False

    @property
    def message(self) -> str:
        return "; ".join(self.sentences)[:MAX_SENTENCE_CHARS]

    @property
    def param(self) -> str:
        return next(iter(self.fields), "")


def read_response(response: httpx2.Response) -> Any:
    """The JSON of a response that was read, or its text."""
    try:
        return response.json()
    except (ValueError, RecursionError):
        return response.text


def read_error_body(body: Any) -> ErrorBody:
    """A body without any of the usual fields is its own sentence."""
    found = ErrorBody(is_page=isinstance(body, str) and bool(_PAGE.match(body)))
    _read_value(body, found, MAX_DEPTH)
    if not found.sentences and body:
        found.sentences.append(str(body)[:MAX_SENTENCE_CHARS])
    return found


def _read_value(value: Any, found: ErrorBody, depth: int, name: str = "") -> None:
    """`name` is the field of the request that this value is about."""
    if not depth or len(found.sentences) >= MAX_ITEMS:
        return
    if isinstance(value, str):
        nested = _parse_nested(value)
        if nested is not None:
            _read_value(nested, found, depth - 1)
        elif (sentence := _clean_sentence(value)) and sentence not in found.sentences:
            found.sentences.append(f"{name}: {sentence}" if name else sentence)
    elif isinstance(value, list):
        for item in value[:MAX_ITEMS]:
            _read_value(item, found, depth - 1, name)
    elif isinstance(value, dict):
        _read_object(value, found, depth)


def _read_object(value: dict[str, Any], found: ErrorBody, depth: int) -> None:
    found.codes += _read_codes(value)
    params = value.get("params")
    extra = [params.get(key) for key in EXTRA_FIELDS] if isinstance(params, dict) else []
    fields = [name for field_name in extra if (name := _read_field_name(field_name))]
    fields += [name for key in NAME_FIELDS if (name := _read_field_name(value.get(key)))]
    paths = (value.get(key) for key in PATH_FIELDS if isinstance(value.get(key), list))
    fields += filter(None, map(_read_field_name, paths))
    found.fields += fields
    is_violation = "loc" in value and bool(fields)
    _read_named_violations(value.get("errors"), found, depth - 1)
    for key in VIOLATION_FIELDS:
        _read_named_violations(value.get(key), found, depth - 1)
        _read_violations(value.get(key), found, depth - 1)
    for key in TEXT_FIELDS:
        if key in value:
            is_code = key in CODE_FIELDS and _CODE.fullmatch(str(value[key]))
            if not is_code:
                _read_value(value[key], found, depth - 1, fields[0] if is_violation else "")


def _read_named_violations(violations: Any, found: ErrorBody, depth: int) -> None:
    """Sentences under the names of the fields that they are about, as Laravel and ASP.NET send
    them."""
    if isinstance(violations, dict) and violations.keys().isdisjoint(TEXT_FIELDS):
        for name, sentences in list(violations.items())[:MAX_ITEMS]:
            found.fields.append(name)
            _read_value(sentences, found, depth, name)


def _read_violations(violations: Any, found: ErrorBody, depth: int) -> None:
    """Objects with the names of the fields that they are about."""
    for violation in violations[:MAX_ITEMS] if isinstance(violations, list) else ():
        if isinstance(violation, dict) and (name := _read_field_name(violation.get("name"))):
            found.fields.append(name)
        _read_value(violation, found, depth)


def _read_codes(value: dict[str, Any]) -> Iterator[str]:
    for key in CODE_FIELDS:
        code = value.get(key)
        is_scalar = isinstance(code, (str, int)) and not isinstance(code, bool)
        if is_scalar and _CODE.fullmatch(str(code)):
            yield str(code)


def _read_field_name(name: Any) -> str:
    """A name, also with the mark of a path before it, or pydantic's path of names and positions,
    which begins with “body”."""
    if isinstance(name, str):
        return name.strip().lstrip("#/.")
    if isinstance(name, list):
        parts = [str(part) for part in name if isinstance(part, (str, int))]
        return ".".join(parts[1:] if parts[:1] == ["body"] else parts)
    return ""


def _parse_nested(text: str) -> Any:
    """The object or list that a string holds as JSON."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        nested = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return nested if isinstance(nested, (dict, list)) else None


def _clean_sentence(text: str) -> str:
    """The text; of a page its words."""
    if not _PAGE.match(text):
        return text[:MAX_SENTENCE_CHARS].strip()
    words = _TAG.sub(" ", _HIDDEN_TAGS.sub(" ", text[:MAX_PAGE_CHARS]))
    return " ".join(html.unescape(words).split())
