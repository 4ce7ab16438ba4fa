"""Reads lists of models as servers send them: arrays and objects of many shapes, and pages.

An entry that can't be read, or that writes no text, is left out by itself. An answer without any
list in it is an error, so that it does not look like an empty list.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import date
from typing import Any

from streaming.providers.catalog.naming import MAX_MODEL_NAME_CHARS
from streaming.providers.errors import UnreadableList
from streaming.providers.http.parse import to_count, to_date, to_dict, to_dicts, to_str
from streaming.providers.http.tolerant_json import TOLERANT_DECODER
from streaming.providers.types import ModelInfo

logger = logging.getLogger(__name__)

MAX_LIST_BYTES = 16 << 20
"""Of one page. The longest lists known have 1 MB."""
MAX_PAGES = 50
MAX_LIST_DEPTH = 3
"""Objects around a list."""

LIST_KEYS = ("data", "models", "model_list", "items", "results", "result", "value")
ENVELOPE_KEYS = {*LIST_KEYS, "fault", "status", "error", "errors", "response", "header", "payload"}
"""Keys of an object that are no names of models: an answer with them is another one."""
NAME_KEYS = (
    *("id", "name", "model", "model_name", "key", "slug"),
    *("model_id", "modelId", "modelName", "uid"),
)
LABEL_KEYS = ("display_name", "displayName", "label", "name", "title")
WINDOW_KEYS = (
    "max_model_len",
    "context_window",
    "context_length",
    "max_context_length",
    "max_input_tokens",
    "inputTokenLimit",
)
OUTPUT_KEYS = ("max_output_tokens", "max_completion_tokens", "outputTokenLimit", "max_tokens")
SHUTDOWN_KEYS = ("shutdown_date", "retires_at", "deprecation_date", "deprecation")
TYPE_KEYS = ("type", "mode", "task", "model_type")
CHAT_TYPES = {"chat", "llm", "vlm", "language", "completion", "text-generation"}
OTHER_TYPES = re.compile(
    r"(embed|image|audio|video|speech|tts|asr|transcri|moderation|rerank|classif)(?!.*-to-text$)",
    re.IGNORECASE,
)
"""Words for models that write no text."""

FetchPage = Callable[[dict[str, str]], Awaitable[bytes]]


async def fetch_model_list(fetch_page: FetchPage, cursor_parameter: str) -> list[ModelInfo]:
    """All pages of a list. `fetch_page` gets the parameters of a page and returns its body.

    A server that ignores the cursor sends the same page again; then the list ends. Raises
    UnreadableList.
    """
    models: dict[str, ModelInfo] = {}
    parameters: dict[str, str] = {}
    for _ in range(MAX_PAGES):
        body = parse_json(await fetch_page(parameters))
        page = {model.id: model for model in parse_models(body)}
        is_new = not page.keys() <= models.keys()
        models |= page
        cursor = find_cursor(body)
        if not cursor or not is_new:
            break
        parameters = {cursor_parameter: cursor}
    return list(models.values())


def parse_json(body: bytes) -> Any:
    """Raises UnreadableList."""
    try:
        return TOLERANT_DECODER.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        start = body[:80].decode("utf-8", "replace")
        raise UnreadableList(detail=f"No JSON: {start}") from None


def find_cursor(body: Any) -> str:
    """Where the next page begins; empty after the last one."""
    fields = to_dict(body)
    if token := to_str(fields.get("nextPageToken")):  # Google's
        return token
    if fields.get("has_more") is not True:
        return ""
    entries = to_dicts(fields.get("data"))
    return to_str(fields.get("last_id")) or (find_name(entries[-1]) if entries else "")


def parse_models(body: Any) -> list[ModelInfo]:
    """Raises UnreadableList for a body without a list."""
    entries = find_entries(body)
    if entries is None:
        shape = f"an object with {', '.join(body)}" if isinstance(body, dict) else "a single value"
        raise UnreadableList(detail=f"not a list of models: {shape}"[:200])
    has_names = any(isinstance(entry, str) or find_name(to_dict(entry)) for entry in entries)
    if entries and not has_names:
        raise UnreadableList(detail=f"no entry has a name: {str(entries[0])[:100]}")
    return [model for entry in entries if (model := parse_entry(entry))]


def find_entries(body: Any, depth: int = MAX_LIST_DEPTH) -> list[Any] | None:
    """The entries of a list, wherever it stands in the body; None if there is none. Null is an
    empty list, as servers written in Go send it."""
    if body is None:
        return []
    if isinstance(body, list):
        return body
    if not isinstance(body, dict) or not depth or body.get("error"):
        return None
    found = [find_entries(body[key], depth - 1) for key in LIST_KEYS if key in body]
    if lists := [entries for entries in found if entries is not None]:
        return next(filter(None, lists), [])
    if body.get("object") == "list":
        return []
    return _find_named_entries(body)


def _find_named_entries(body: dict[str, Any]) -> list[Any] | None:
    """The entries of an object whose keys are the names."""
    if not all(isinstance(value, dict) for value in body.values()):
        return None
    if any(name.lower() in ENVELOPE_KEYS for name in body):
        return None
    return [value if find_name(value) else {**value, "id": name} for name, value in body.items()]


def parse_entry(entry: Any) -> ModelInfo | None:
    """One model; None for an entry that has no usable name, or that writes no text."""
    fields = {"id": entry} if isinstance(entry, str) else to_dict(entry)
    name = find_name(fields)
    if not name:
        logger.warning("A provider lists a model without a name; it is left out")
        return None
    if len(name) > MAX_MODEL_NAME_CHARS or not name.isprintable() or name != name.strip():
        # Without the name, in which a server may echo the key.
        logger.warning(
            "A provider lists a model under an unusable name, of %d characters", len(name)
        )
        return None
    writes_text = find_purpose(fields)
    if writes_text is False or fields.get("active") is False:
        return None
    return ModelInfo(
        name,
        label=next((text for text in _read_texts(fields, LABEL_KEYS) if text != name), ""),
        context_window=_read_window(fields),
        max_output=_read_count(fields, OUTPUT_KEYS),
        availability=to_str(fields.get("lifecycle")),
        shutdown=_read_date(fields),
        writes_text=writes_text,
    )


def find_name(fields: dict[str, Any]) -> str:
    return next((text for text in _read_texts(fields, NAME_KEYS) if text.strip()), "")


def find_purpose(fields: dict[str, Any]) -> bool | None:
    """Whether the model writes text, as the server says; None if it does not say."""
    types = [word.lower() for word in _read_texts(fields, TYPE_KEYS)]
    if any(OTHER_TYPES.search(word) for word in types):
        return False
    abilities = fields.get("capabilities")
    if isinstance(abilities, dict) and isinstance(abilities.get("completion_chat"), bool):
        return bool(abilities["completion_chat"])
    if isinstance(abilities, list) and "embedding" in abilities:
        return "completion" in abilities
    methods = fields.get("supportedGenerationMethods")
    if isinstance(methods, list) and methods and "generateContent" not in methods:
        return False
    outputs = to_dict(fields.get("architecture")).get("output_modalities")
    if isinstance(outputs, list) and outputs:
        return "text" in outputs
    return True if any(word in CHAT_TYPES for word in types) else None


def _read_texts(fields: dict[str, Any], keys: Iterable[str]) -> list[str]:
    return [text for key in keys if (text := to_str(fields.get(key)))]


def _read_count(fields: dict[str, Any], keys: Iterable[str]) -> int | None:
    return next((count for key in keys if (count := to_count(fields.get(key)))), None)


def _read_window(fields: dict[str, Any]) -> int | None:
    """llama.cpp tells apart the window that it was started with and that of the training."""
    configured = to_count(to_dict(fields.get("meta")).get("n_ctx"))
    return _read_count(fields, WINDOW_KEYS) or configured


def _read_date(fields: dict[str, Any]) -> date | None:
    return next((day for key in SHUTDOWN_KEYS if (day := to_date(fields.get(key)))), None)
