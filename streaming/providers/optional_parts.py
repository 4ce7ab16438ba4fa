"""The optional parts of a request, and the words by which a refusal names them.

A server that refuses a part (`refusals`) is asked again without it. Parts that a person chose (a
temperature, an effort, a limit) have a word for people; the others are our own hints, which are
left out silently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from streaming.providers.http.wordings import (
    FIELD_KINDS,
    NOT_TAKEN,
    REPLY_LIMIT_FIELD,
    WRONG_VALUE,
    compile_halves,
)
from streaming.providers.types import Request, Turn
from streaming.sentences import gettext_noop


@dataclass(frozen=True, slots=True)
class OptionalPart:
    """`name` is stored, in 30 characters at most. `fields` finds the part in a field that the
    provider names, `words` in its sentence, `refusals` in a sentence about a fault of the server,
    `wrong_values` in one about a value. `value` is the only one that is sent, if it is a word.
    `label` is the word for people."""

    name: str
    fields: re.Pattern[str]
    words: re.Pattern[str]
    refusals: re.Pattern[str]
    wrong_values: re.Pattern[str]
    value: str = ""
    label: str = ""


def _define_part(
    name: str,
    fields: str,
    words: str = "",
    label: str = "",
    refusals: str = "",
    value: str = "",
) -> OptionalPart:
    in_words = f"{fields}|{words}" if words else fields
    in_faults = refusals or _refuse_field(fields)
    return OptionalPart(
        name,
        fields=re.compile(fields, re.IGNORECASE),
        words=re.compile(in_words, re.IGNORECASE),
        refusals=re.compile(in_faults, re.IGNORECASE),
        wrong_values=compile_halves(in_words, WRONG_VALUE),
        value=value,
        label=label,
    )


_KINDS = f"{FIELD_KINDS}|supplied"
_REFUSED = rf" ?((is|are) )?({NOT_TAKEN})"


def _refuse_field(fields: str) -> str:
    """A pattern for a sentence that names one of these fields as a field, or refuses it in the
    words beside it: a fault of a server may have any other word by chance."""
    return (
        rf"['\"`“‘]([\w.]*\.)?({fields})['\"`”’]|\b({_KINDS})s?\W{{1,3}}({fields})\b"
        rf"|({fields})\b\W?({_KINDS}|setting)?s?{_REFUSED}"
        rf"|(unknown|unexpected|{NOT_TAKEN})(ed)?\W{{1,3}}({fields})\b"
    )


def _quote_field(field: str) -> str:
    """A pattern for a common word where a sentence means the field of this name."""
    return rf"['\"`“‘]{field}['\"`”’]|\b(?:{_KINDS})s?\W{{1,3}}{field}\b|(?:^|[.;] ?){field}:"


EFFORT_LABEL = gettext_noop("reasoning effort")
ONLY_USER_ROLES = r"only\W+(\w+\W+){0,5}?user\b.{0,12}\bassistant"
FIRST_ROLE = "|".join(
    (
        r"first (message|turn|role)\W.{0,20}\buser\b",
        r"\b(start|begin)s? with (an? |the )?(role |first )?\W?user\b",
    )
)
ALTERNATION = r"\broles?\b.{0,40}\balternat|\balternat\w*\b.{0,40}\broles?\b|must\W+alternate"
OTHER_ROLE = (
    r"invalid\W+(message\W+)?role|\brole\W{1,3}(must|should)\W+be|expected\W+(the\W+)?role"
    r"|only\W+roles?\b|['\"](system|developer)['\"]\W+is\W+not\W+one\W+of"
)

OPTIONAL_PARTS: tuple[OptionalPart, ...] = (
    _define_part("include_obfuscation", r"include_?obfuscation"),
    _define_part("include_usage", r"include_?usage"),
    _define_part("stream_options", r"stream[_ ]?options"),
    _define_part(
        "thinking_display",
        r"thinking\.(\w+\.)*display|include_?thoughts",
        _quote_field("display"),
        value="summarized",
    ),
    _define_part(
        "reasoning_summary",
        r"reasoning\.(generate_)?summary",
        rf"reasoning (summary|summaries)|{_quote_field('summary')}",
    ),
    _define_part(
        "reasoning_effort",
        r"effort|output_?config|thinking_?(level|budget)",
        label=EFFORT_LABEL,
        refusals=_refuse_field(r"(reasoning[._ ]?)?effort|output_?config|thinking_?(level|budget)"),
    ),
    _define_part("thinking", r"thinking", value="adaptive"),
    _define_part("reasoning_effort", r"reasoning|thinking", r"\bthink\b|思考", EFFORT_LABEL),
    _define_part("prompt_cache_key", r"prompt_?cache_?key"),
    _define_part("cache_control", r"cache[_ ]?control", "prompt.?caching", value="ephemeral"),
    _define_part("temperature", r"temperature", label=gettext_noop("temperature")),
    _define_part("token_limit_name", REPLY_LIMIT_FIELD),
    _define_part("max_tokens", REPLY_LIMIT_FIELD, label=gettext_noop("token limit")),
    _define_part("default_max_tokens", REPLY_LIMIT_FIELD),
    _define_part("store", r"^store$", rf"\bstore must\b|{_quote_field('store')}"),
    _define_part("background", r"^background$", rf"background mode|{_quote_field('background')}"),
    _define_part(
        "system",
        r"^system\b|^instructions\b|system_?instruction|\bmessages?\W{0,4}0\W{1,4}role",
        r"\b(system|developer)\W+(role|message|prompt|instruction)|\brole\W{1,3}(system|developer)"
        r"|(system|系统).{0,3}(角色|消息|提示)|角色.{0,4}system"
        rf"|{ALTERNATION}|{ONLY_USER_ROLES}|{FIRST_ROLE}|{OTHER_ROLE}|"
        + "|".join(_quote_field(field) for field in ("system", "developer", "instructions")),
        refusals=r"\b(system|developer)\W+role|\brole\W{1,3}(system|developer)"
        rf"|\b(system|developer) (message|prompt|instruction)s?{_REFUSED}"
        rf"|{ALTERNATION}|{ONLY_USER_ROLES}|{FIRST_ROLE}",
    ),
)
"""In the order in which a refusal is searched: the exact names before the common words.

`token_limit_name` is the name under which a limit is sent, which has another one. A limit whose
value is refused is left out at once. `default_max_tokens` is the limit that we send because the API
requires one. `system` stands in the first turn of the user where a server has no such role, also
where its turns have to alternate, because the turns that we send do.
"""


def is_sent(part: OptionalPart, request: Request, hints: frozenset[str]) -> bool:
    """`hints` are the names of those that the request had."""
    if part.name == "system":
        return bool(request.system)
    if part.label:
        return getattr(request, part.name) is not None
    return part.name in hints


def omit_part(request: Request, name: str) -> Request:
    """The request without this part. The text of the system role moves into the first turn."""
    if name == "system":
        return _move_system_text(request)
    if any(part.label for part in OPTIONAL_PARTS if part.name == name):
        left_out: dict[str, Any] = {name: None}
        return replace(request, **left_out)
    background = request.background and name != "background"
    return replace(request, background=background, omitted=request.omitted | {name})


def _move_system_text(request: Request) -> Request:
    if not request.system:
        return request
    first = next((at for at, turn in enumerate(request.turns) if turn.role == "user"), None)
    if first is None:
        return replace(request, system="", turns=(Turn("user", request.system), *request.turns))
    turn = Turn("user", f"{request.system}\n\n{request.turns[first].text}")
    turns = (*request.turns[:first], turn, *request.turns[first + 1 :])
    return replace(request, system="", turns=turns)
