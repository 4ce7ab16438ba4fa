"""Which optional part of a request a server refuses, and whether it always will."""

from __future__ import annotations

import re
import string

from streaming.providers.errors import (
    BadRequest,
    ContextTooLong,
    ModelNotFound,
    NoPermission,
    Overloaded,
    ProviderError,
)
from streaming.providers.http.wordings import (
    FIELD_KINDS,
    NOT_TAKEN,
    REFUSED_TO_ACCOUNT,
    REPLY_LIMIT_FIELD,
    VALUE_LIMIT,
    WRONG_VALUE,
)
from streaming.providers.optional_parts import (
    ALTERNATION,
    EFFORT_LABEL,
    FIRST_ROLE,
    ONLY_USER_ROLES,
    OPTIONAL_PARTS,
    OTHER_ROLE,
    OptionalPart,
    is_sent,
)
from streaming.providers.types import Request
from streaming.sentences import gettext_noop

DROPPED_PARAMETER_NOTE = gettext_noop("This model has no {setting} setting. Retrying without it.")
REJECTED_VALUE_NOTE = gettext_noop("This model rejected the {setting}. Retrying without it.")

ONLY_ONE_VALUE = (
    r"only\s(the\sdefault|\S{1,12}\s(is|are)\s(allowed|supported|accepted))"
    r"|\b(must|should|can|may|has\sto|needs\sto)\s(only\s)?(be|equal)\s((set|equal)\sto\s"
    r"|exactly\s)?\d+(\.\d+)?(?=\W*$|\W? (for|with|when|if|on|got|but)\b|[.;]\s)"
    r"|(必须|只能)(为|是|等于) ?\d+(\.\d+)?\W*$"
)
UNSUPPORTED_PATTERN = re.compile(
    rf"{NOT_TAKEN}|not (a )?(valid|known|recogni[sz]ed) ({FIELD_KINDS})|unrecogni[sz]ed"
    rf"|{ONLY_ONE_VALUE}|extra_forbidden"
    r"|(extra|additional) (inputs|fields|keys|properties|property)|cannot find field"
    rf"|\bno (such )?({FIELD_KINDS})|invalid ({FIELD_KINDS})|(were|was) unexpected"
    rf"|(unknown|unexpected)\W+(request |keyword )?({FIELD_KINDS}|role)"
    rf"|forbidden|{ALTERNATION}|{ONLY_USER_ROLES}|{FIRST_ROLE}|\brole\b.{{0,20}}\binvalid",
    re.IGNORECASE,
)
UNKNOWN_PATTERN = re.compile(
    rf"unknown|unexpected|not available|\bhas no\b|\bno system\b|{OTHER_ROLE}", re.IGNORECASE
)
"""Words that mean the same in an answer that is about the request in any case."""
VALUE_PATTERN = re.compile(VALUE_LIMIT, re.IGNORECASE)
NO_VALUE_PATTERN = re.compile(
    rf"{ONLY_ONE_VALUE}|extra_forbidden|extra inputs|unknown ({FIELD_KINDS})", re.IGNORECASE
)
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

PATH_CHARS = f"{string.ascii_letters}{string.digits}._"
EXACT_NAMES = {
    *("include_obfuscation", "include_usage", "stream_options", "thinking_display"),
    *("cache_control", "prompt_cache_key"),
}
"""Parts whose names no sentence has by chance: an error that has one is about it."""

THOUGHT_BLOCK_PATTERN = re.compile(
    r"\bthinking\W+blocks?\b|\bthinking\W+or\W+redacted_thinking\b|\bsignature\b|\btool_choice\b",
    re.IGNORECASE,
)
"""Words about the reasoning that came back with a call of a tool, or about a call that is forced.
The refusal is about this request; the model reasons in others."""


def find_refused_part(error: ProviderError, request: Request) -> OptionalPart | None:
    """The part of this request that the provider refused; None if it names none that was sent."""
    is_bad_request = isinstance(error, BadRequest)
    is_context = isinstance(error, ContextTooLong)
    if not is_bad_request and not is_context and not _is_vague(error):
        return None
    sent = [part for part in OPTIONAL_PARTS if is_sent(part, request, error.sent_hints)]
    if is_context:
        if _says_unsupported(error) and (named := _find_exact_name(sent, error.detail)):
            return named
        names_limit = REPLY_IN_CONTEXT_PATTERN.search(error.detail)
        return next((part for part in sent if names_limit and part.name in LIMIT_NAMES), None)
    if not is_permanent(error):
        sent = [part for part in sent if part.name != "token_limit_name"]
    says_unsupported = _says_unsupported(error)
    named = next((part for part in sent if part.fields.search(error.param)), None)
    if error.param and named and (is_bad_request or says_unsupported):
        return named
    sentence = _remove_model(error.detail, request.model)
    if not is_bad_request and not isinstance(error, ModelNotFound):
        says_unsupported = says_unsupported and not PASSING_PATTERN.search(sentence)
        refused = [part for part in sent if says_unsupported and part.refusals.search(sentence)]
    else:
        refused = [part for part in sent if says_unsupported and part.words.search(sentence)]
    found = _find_first(refused, sentence) or _find_wrong_value(error, sent, request, sentence)
    return found or _find_thoughts(sent, error)


def _find_first(parts: list[OptionalPart], sentence: str) -> OptionalPart | None:
    """The part that the sentence names first; later ones may be its reasons. Of the parts in one
    path, such as stream_options.include_usage, the first one of ours."""
    named = [(match.start(), part) for part in parts if (match := part.words.search(sentence))]
    paths = [(len(sentence[:at].rstrip(PATH_CHARS)), part) for at, part in named]
    return min(paths, key=lambda found: found[0], default=(0, None))[1]


def _find_wrong_value(
    error: ProviderError, sent: list[OptionalPart], request: Request, sentence: str
) -> OptionalPart | None:
    """The part whose value the sentence refuses, which it names or quotes; or the part that it
    can't name by chance. Of a fault of the server only such names count."""
    if named := _find_exact_name(sent, sentence):
        return named
    limits = [part for part in sent if part.name in LIMIT_NAMES]
    is_bad_request = isinstance(error, BadRequest)
    candidates = sent if is_bad_request else limits
    wrong = [part for part in candidates if part.wrong_values.search(sentence)]
    if first := _find_first(wrong, sentence):
        return first
    says_value = is_bad_request and re.search(WRONG_VALUE, sentence, re.IGNORECASE)
    return next((part for part in sent if says_value and _is_quoted(part, request, sentence)), None)


def _find_thoughts(sent: list[OptionalPart], error: ProviderError) -> OptionalPart | None:
    """The part with which the reasoning before the calls is sent back, if an error is about it."""
    is_about_them = isinstance(error, BadRequest) and THOUGHT_BLOCK_PATTERN.search(error.detail)
    return next((part for part in sent if is_about_them and part.name == "thinking"), None)


def _find_exact_name(sent: list[OptionalPart], sentence: str) -> OptionalPart | None:
    exact = (part for part in sent if part.name in EXACT_NAMES)
    return next((part for part in exact if part.fields.search(sentence)), None)


def _is_quoted(part: OptionalPart, request: Request, sentence: str) -> bool:
    """Whether the sentence quotes the word that is sent as the value."""
    value = request.reasoning_effort if part.label == EFFORT_LABEL else part.value
    quoted = rf"['\"`“‘]{re.escape(value or '')}['\"`”’]"
    return bool(value) and re.search(quoted, sentence) is not None


def _is_vague(error: ProviderError) -> bool:
    """Some servers refuse a part as if it were a fault of their own, a missing model, or what the
    key has no right to."""
    return isinstance(error, (ModelNotFound, NoPermission)) or _is_fault(error)


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


def is_permanent(error: ProviderError) -> bool:
    """Whether the model never takes the part, rather than this value of it or not with this key."""
    if REFUSED_TO_ACCOUNT.search(error.detail) or not _says_unsupported(error):
        return False
    is_value = VALUE_PATTERN.search(error.detail)
    return not is_value or bool(NO_VALUE_PATTERN.search(error.detail))


def should_remember(part: OptionalPart, error: ProviderError) -> bool:
    """Whether no request to this model should have the part again. Our hints have one value, so
    that a refusal of it is a refusal of the hint. A limit that does not fit fits a shorter chat."""
    if isinstance(error, ContextTooLong) and part.name in LIMIT_NAMES:
        return False
    if part.name == "thinking" and THOUGHT_BLOCK_PATTERN.search(error.detail):
        return False
    return is_permanent(error) if part.label else not REFUSED_TO_ACCOUNT.search(error.detail)


def format_note(part: OptionalPart, error: ProviderError) -> str:
    """The note for people; empty for a hint of ours."""
    if not part.label:
        return ""
    note = DROPPED_PARAMETER_NOTE if is_permanent(error) else REJECTED_VALUE_NOTE
    return note.format(setting=part.label)
