"""The optional parts of a request, and which of them a server refuses.

A server that refuses a part is asked again without it. Parts that a person chose (a temperature, an
effort, a limit) have a word for people; the others are our own hints, which are left out silently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from streaming.providers.errors import (
    BadRequest,
    ContextTooLong,
    ModelNotFound,
    Overloaded,
    ProviderError,
)
from streaming.providers.http.wordings import (
    FIELD_KINDS,
    NOT_TAKEN,
    REFUSED_TO_ACCOUNT,
    REPLY_LIMIT_FIELD,
)
from streaming.providers.types import Request, Turn
from streaming.sentences import gettext_noop

DROPPED_PARAMETER_NOTE = gettext_noop("This model has no {setting} setting. Retrying without it.")
REJECTED_VALUE_NOTE = gettext_noop("This model rejected the {setting}. Retrying without it.")


@dataclass(frozen=True, slots=True)
class OptionalPart:
    """`name` is stored, in 30 characters at most. `fields` finds the part in a field that the
    provider names, `words` in its sentence, `refusals` in a sentence about a fault of the server.
    `label` is the word for people."""

    name: str
    fields: re.Pattern[str]
    words: re.Pattern[str]
    refusals: re.Pattern[str]
    label: str = ""


def _define_part(
    name: str, fields: str, words: str = "", label: str = "", refusals: str = ""
) -> OptionalPart:
    in_words = f"{fields}|{words}" if words else fields
    in_faults = refusals or _refuse_field(fields)
    return OptionalPart(
        name,
        fields=re.compile(fields, re.IGNORECASE),
        words=re.compile(in_words, re.IGNORECASE),
        refusals=re.compile(in_faults, re.IGNORECASE),
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
ONLY_USER_ROLES = r"only\W+(the\W+)?user\b.{0,12}\bassistant"
FIRST_ROLE = r"first (message|turn|role)\W.{0,20}\buser\b"
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
        "thinking_display", r"thinking\.(\w+\.)*display|include_?thoughts", _quote_field("display")
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
    _define_part("thinking", r"thinking"),
    _define_part("reasoning_effort", r"reasoning|thinking", r"\bthink\b", EFFORT_LABEL),
    _define_part("prompt_cache_key", r"prompt_?cache_?key"),
    _define_part("cache_control", r"cache_?control", "prompt.?caching"),
    _define_part("temperature", r"temperature", label=gettext_noop("temperature")),
    _define_part("token_limit_name", REPLY_LIMIT_FIELD),
    _define_part("max_tokens", REPLY_LIMIT_FIELD, label=gettext_noop("token limit")),
    _define_part("default_max_tokens", REPLY_LIMIT_FIELD),
    _define_part("store", r"^store$", _quote_field("store")),
    _define_part("background", r"^background$", rf"background mode|{_quote_field('background')}"),
    _define_part(
        "system",
        r"^system\b|^instructions\b|system_?instruction|\bmessages?\W{0,2}0\W{1,2}role",
        r"\b(system|developer)\W+(role|message|prompt|instruction)|\brole\W{1,3}(system|developer)"
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

ONLY_ONE_VALUE = r"only (the default|\S{1,12} (is|are) (allowed|supported|accepted))"
UNSUPPORTED_PATTERN = re.compile(
    rf"{NOT_TAKEN}|not (a )?(valid|known|recogni[sz]ed) ({FIELD_KINDS})|unrecogni[sz]ed"
    rf"|{ONLY_ONE_VALUE}|extra_forbidden"
    r"|(extra|additional) (inputs|fields|keys|properties|property)|cannot find field"
    rf"|\bno (such )?({FIELD_KINDS})|invalid ({FIELD_KINDS})|(were|was) unexpected"
    rf"|(unknown|unexpected)\W+(request |keyword )?({FIELD_KINDS}|role)"
    rf"|forbidden|{ALTERNATION}|{ONLY_USER_ROLES}|{FIRST_ROLE}|\brole\b.{{0,20}}\binvalid",
    re.IGNORECASE,
)
UNKNOWN_PATTERN = re.compile(rf"unknown|unexpected|{OTHER_ROLE}", re.IGNORECASE)
"""Words that mean the same in an answer that is about the request in any case."""
VALUE_PATTERN = re.compile(
    r"supported (values|options|efforts|levels)|\bone of\b|\bbetween\b|out of range"
    r"|(less|greater) than|at (most|least)\b|value of \S+ is (not|in)",
    re.IGNORECASE,
)
ONLY_DEFAULT_PATTERN = re.compile(rf"{ONLY_ONE_VALUE}|extra_forbidden|extra inputs", re.IGNORECASE)
LIMIT_NAMES = {"max_tokens", "default_max_tokens"}
REPLY_IN_CONTEXT_PATTERN = re.compile(
    rf"{REPLY_LIMIT_FIELD}|in the (completion|output|response)|\d \+ \d", re.IGNORECASE
)
"""The limit of the reply does not fit behind the conversation, which may fit by itself."""
PASSING_PATTERN = re.compile(
    r"at the moment|\bnow\b|temporary|temporarily|try again|\blater\b|\bbusy\b|overload",
    re.IGNORECASE,
)
"""Words of a fault that passes: the model may take the part in a minute."""


EXACT_NAMES = {
    *("include_obfuscation", "include_usage", "stream_options", "thinking_display"),
    *("cache_control", "prompt_cache_key"),
}
"""Parts whose names no sentence has by chance: an error that has one is about it."""


def find_refused_part(error: ProviderError, request: Request) -> OptionalPart | None:
    """The part of this request that the provider refused; None if it names none that was sent."""
    is_bad_request = isinstance(error, BadRequest)
    is_context = isinstance(error, ContextTooLong)
    if not is_bad_request and not is_context and not _is_vague(error):
        return None
    sent = [part for part in OPTIONAL_PARTS if _is_sent(part, request, error.sent_hints)]
    if is_context:
        names_limit = REPLY_IN_CONTEXT_PATTERN.search(error.detail)
        return next((part for part in sent if names_limit and part.name in LIMIT_NAMES), None)
    if not is_permanent(error):
        sent = [part for part in sent if part.name != "token_limit_name"]
    says_unsupported = _says_unsupported(error)
    named = next((part for part in sent if part.fields.search(error.param)), None)
    if error.param and named and (is_bad_request or says_unsupported):
        return named
    sentence = _remove_model(error.detail, request.model)
    if says_unsupported and not _is_fault(error):
        return next((part for part in sent if part.words.search(sentence)), None)
    if says_unsupported and not PASSING_PATTERN.search(sentence):
        refused = next((part for part in sent if part.refusals.search(sentence)), None)
    else:
        refused = None
    exact = (part for part in sent if part.name in EXACT_NAMES)
    return refused or next((part for part in exact if part.fields.search(sentence)), None)


def _is_vague(error: ProviderError) -> bool:
    """Some servers refuse a part as if it were a fault of their own, or a missing model."""
    return isinstance(error, ModelNotFound) or _is_fault(error)


def _is_fault(error: ProviderError) -> bool:
    """Most of them pass, and have nothing to do with the request."""
    return isinstance(error, Overloaded) or type(error) is ProviderError


def _says_unsupported(error: ProviderError) -> bool:
    if isinstance(error, BadRequest) and UNKNOWN_PATTERN.search(error.detail):
        return True
    return bool(UNSUPPORTED_PATTERN.search(error.detail))


def _remove_model(sentence: str, model: str) -> str:
    """The sentence without the model's name, which may have the word “thinking” in it."""
    return re.sub(rf"(?<![\w-]){re.escape(model)}(?![\w-])", "", sentence)


def _is_sent(part: OptionalPart, request: Request, hints: frozenset[str]) -> bool:
    if part.name == "system":
        return bool(request.system)
    if part.label:
        return getattr(request, part.name) is not None
    return part.name in hints


def is_permanent(error: ProviderError) -> bool:
    """Whether the model never takes the part, rather than this value of it or not with this key."""
    if REFUSED_TO_ACCOUNT.search(error.detail) or not _says_unsupported(error):
        return False
    is_value = VALUE_PATTERN.search(error.detail)
    return not is_value or bool(ONLY_DEFAULT_PATTERN.search(error.detail))


def should_remember(part: OptionalPart, error: ProviderError) -> bool:
    """Whether no request to this model should have the part again. Our hints have one value, so
    that a refusal of it is a refusal of the hint. A limit that does not fit fits a shorter chat."""
    if isinstance(error, ContextTooLong):
        return False
    return is_permanent(error) if part.label else not REFUSED_TO_ACCOUNT.search(error.detail)


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


def format_note(part: OptionalPart, error: ProviderError) -> str:
    """The note for people; empty for a hint of ours."""
    if not part.label:
        return ""
    note = DROPPED_PARAMETER_NOTE if is_permanent(error) else REJECTED_VALUE_NOTE
    return note.format(setting=part.label)
