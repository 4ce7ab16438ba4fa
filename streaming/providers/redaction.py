"""Keys: a type that never shows its key, and a function that removes keys from any text."""

from __future__ import annotations

import base64
import html
import itertools
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, quote, unquote, urlsplit

KEY_FRAGMENT_CHARS = 8
"""A text with this many consecutive characters of a key counts as the key."""
MAX_DETAIL_CHARS = 600
"""How much of the provider's own words is kept."""

REDACTED = "[key]"
SECRET_PATTERN = re.compile(r"\b(?:sk|pk|rk)-[\w-]{8,}|\bAIza[\w-]{20,}|(?i:\bbearer\s+)[^\s\"',]+")


class Secret:
    """A key on its way to a provider. It appears in no log, no traceback with locals and no
    `vars`."""

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        self._reveal = lambda: value

    def reveal(self) -> str:
        """Call this only in the argument of the call that sends the key."""
        return self._reveal()

    def __bool__(self) -> bool:
        return bool(self._reveal())

    def __repr__(self) -> str:
        return f"Secret({REDACTED})" if self else "Secret()"


def list_address_secrets(address: str) -> tuple[Secret, ...]:
    """The name, the password and the query in an address, as texts and as a header has them."""
    try:
        parts = urlsplit(address)
        name, password = parts.username or "", parts.password or ""
    except ValueError:
        return ()
    texts = [name, password, unquote(name), unquote(password), parts.query]
    texts += [value for _, value in parse_qsl(parts.query)]
    if password:
        pair = f"{unquote(name)}:{unquote(password)}"
        texts.append(base64.b64encode(pair.encode()).decode())
    return tuple(Secret(text) for text in dict.fromkeys(texts) if text)


def make_redactor(*secrets: Secret) -> Callable[[str], str]:
    """A function that removes these keys, long pieces of them and anything that looks like a key
    from a text.

    It is a closure: a traceback that prints locals shows a function and not the keys. Keys shorter
    than four characters are no secrets; "none", which local servers get, has four.
    """
    pieces = [_split_fragments(secret.reveal()) for secret in secrets]

    def redact(text: str) -> str:
        text = text[: 10 * MAX_DETAIL_CHARS]
        for size, fragments in pieces:
            text = _redact_fragments(fragments, size, text)
        return SECRET_PATTERN.sub(REDACTED, text)[:MAX_DETAIL_CHARS]

    return redact


def _split_fragments(key: str) -> tuple[int, set[str]]:
    """The pieces by which a key is recognised, and their length."""
    size = min(KEY_FRAGMENT_CHARS, len(key))
    forms = list_key_forms(key) if size >= 4 else set()
    return size, {form[i : i + size] for form in forms for i in range(len(form) - size + 1)}


def list_key_forms(key: str) -> set[str]:
    """The forms of a key in an address, in JSON, on a page, in hex and in base64."""
    escaped = quote(key, safe="")
    lower = re.sub("%..", lambda code: code[0].lower(), escaped)
    octets = key.encode(errors="replace")
    return {
        key,
        escaped,
        lower,
        html.escape(key),
        json.dumps(key)[1:-1],
        key.replace("/", "\\/"),
        octets.hex(),
        octets.hex().upper(),
        *_list_base64_forms(octets),
    }


def _list_base64_forms(octets: bytes) -> Iterator[str]:
    """The characters that only the key decides, after zero, one or two other bytes."""
    for before, skipped in enumerate((0, 2, 3)):
        encoded = base64.b64encode(bytes(before) + octets).decode()
        is_shared = encoded.endswith("=")  # the last character also holds bits of what follows
        form = encoded.rstrip("=")[skipped : -1 if is_shared else None]
        yield from (form, form.replace("+", "-").replace("/", "_"))


def _redact_fragments(fragments: set[str], size: int, text: str) -> str:
    starts = range(len(text) - size + 1) if fragments else ()
    hidden = {
        spot for at in starts if text[at : at + size] in fragments for spot in range(at, at + size)
    }
    runs = itertools.groupby(enumerate(text), lambda numbered: numbered[0] in hidden)
    return "".join(REDACTED if inside else "".join(c for _, c in run) for inside, run in runs)
