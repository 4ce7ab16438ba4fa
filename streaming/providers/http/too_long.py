"""Tells from an error's sentence whether a chat is too long for the model, or for one minute."""

from __future__ import annotations

import re

from streaming.providers.http.wordings import REPLY_LIMIT_FIELD, compile_any, compile_halves

# The conversation does not fit the model

CONTEXT_CODES = compile_any(
    r"context_(length|window|size|limit)|exceed\w*_context|context_exceeded"
    r"|(input|prompt|request|payload)_(tokens?_)?(is_)?too_(large|long)|too_many_tokens"
    r"|tokens?_limit_(reached|exceeded)|max_prompt_tokens|prompt_tokens_exceeded|ContextWindow"
)
STRING_LENGTH_CODES = compile_any(r"(string|array)_above_max_length|(string|list)_too_long")
"""The parameter decides what is too long."""
CONVERSATION_FIELDS = compile_any(
    r"^$|^/?(messages?|inputs?|prompt|contents?|instructions|system)\b"
)

_SENT = (
    r"context|prompts?\b|\binputs?\b|input_ids|tokens\b|\btoken (count|limit|length|size)"
    r"|messages?\b|conversation|\bsequence|history|model length|max_model_len|\bn_(past|ctx)\b"
    r"|プロンプト|コンテキスト|トークン|入力|会話|kontext|eingabe|프롬프트|입력|запрос|контекст"
)
_TOO_MUCH = (
    r"exceed|too (long|large|big|many)|maximum|\bmax\b|(longer|larger|greater|bigger|more) than"
    r"|overflow|beyond|over the|out of range|range of|(fewer|less) than|at most \d\d|not enough"
    r"|[<>]=? ?\d[\d,]|\d\d\W?\W?(tokens )?[<>]|\bonly \d\d"
    r"|(not|n['’]t) fit|reduce the length|shorten|\bfull\b|\blimit\b"
    r"|\bover (max|\d)|長すぎ|超え|超過|zu (lang|gro[ßs])|trop (long|grand)"
    r"|너무 (길|깁|긴)|слишком длин"
    r"|surpass|only (handle|process|take|accept)s? (\w+ )?(\w+ )?\d|above the"
)
_CONTEXT = compile_halves(_SENT, _TOO_MUCH)
_CONTEXT_CHINESE = compile_halves(
    "上下文|输入|提示词|对话|消息|令牌|token|长度", "超过|超出|过长|超长|太长|超限|上限"
)
_KV_CACHE = r"\bkv(.?cache)?\b"
_CONTEXT_SMALL = compile_any(
    rf"(context( window| size| length)?|\bn_ctx|max_model_len|{_KV_CACHE}) (is )?too (small|short)",
    rf"(find|found|no|free)\b.{{0,20}}\b(space|room|slots?)\b.{{0,10}}{_KV_CACHE}",
    rf"(find|found|no|free)\b.{{0,20}}{_KV_CACHE} (space|room|slots?)\b",
    r"\b(text|chat|question|query|request|content|dialogue) (is |was )?too long\b",
)
"""Wordings of servers that name the room, or what was sent by another name."""
_NOT_SENT = compile_any(
    r"(failed|unable|could not|cannot|can['’]t) (to )?parse\b.*|<[^<>\s][^<>]{0,60}>|[-=]>",
    r"input validation error|(malformed|invalid) input( request)?|input should|input tag"
    r"|context (deadline|cancel|manager|cache)|message (handler|queue|broker|bus)"
    r"|\b\w{1,60} index out of range|stop sequences?"
    r"|(auth\w*|access|api|bearer|jwt|csrf|refresh|security) tokens?",
)
"""Parts of sentences whose words mean something else: also what a model wrote, tags and arrows."""
_SYSTEM_ROLE = compile_any(r"\broles?\b|\b(system|developer)\W+(messages?|prompts?)\b")
_LENGTH = compile_any(r"\d{3}|context|tokens?\b|length|\b(long|large|longer|larger)\b|window")
PER_TIME = (
    r"(\bper[ -]?|tokens?/ ?)(second|min|minute|hour|day|month|week)\b"
    r"|\b[tr]p[md]\b|daily|hourly|monthly"
)
_OTHER_LIMIT = compile_any(
    PER_TIME,
    r"rate.?limit|quota|billing|credit|afford|concurren|in flight|queue|retries|requests limit",
    r"(limit|maximum) (of|for|on|in) (your|this|the) (\w+ )?(plan|account|subscription|tier)\b",
    r"recursion|call stack|stack (size|overflow)|deadline|time.?out",
    r"\bpool\b|\bdisk\b|\d ?[KMG]i?B\b",
    r"(image|audio|video|file) inputs?\b",
    r"safety|harm|toxic|moderation|policy",
    r"(number of|many|most \d+|(maximum|limit) of \d+) (image|file|tool|function|stop|audio|video)",
    r"temperature|top_[pk]\b|penalty|logprob|频率|速率|每分钟|毎分|次数|额度|余额|并发",
)
_REPLY_LIMIT = compile_any(
    rf"(?!max_?(total|input|prompt|context|seq|model)){REPLY_LIMIT_FIELD}"
    r"|(output|completion|generated|generation|response|new) (tokens|length)"
)
_PROMPT = compile_any(
    r"context|prompt|\binputs?\b|messages|conversation|tokens in (the |your )?request"
)


def is_context_too_long(codes: str, message: str, param: str) -> bool:
    """Whether the conversation is too long, rather than the limit of the reply too high."""
    if STRING_LENGTH_CODES.search(codes):
        return bool(CONVERSATION_FIELDS.search(param))
    if CONTEXT_CODES.search(codes):
        return True
    text = _NOT_SENT.sub(" ", message)
    if CONTEXT_CODES.search(text):
        return True
    if _SYSTEM_ROLE.search(text) and not _LENGTH.search(text):
        return False  # the role is refused, or how many of its messages there are
    if _OTHER_LIMIT.search(text) or (_REPLY_LIMIT.search(text) and not _PROMPT.search(text)):
        return False
    return any(p.search(text) for p in (_CONTEXT, _CONTEXT_SMALL, _CONTEXT_CHINESE))


CONTEXT_NAMES = compile_any(r"(maximum|max|model'?s?) context|context (length|window|size|limit)")
"""The window of the model, in the answers of servers that use the status of a rate limit for it."""


# The request alone is larger than what may be sent in a minute

_PER_TIME = compile_any(PER_TIME)
_IS_COUNT_OF_REQUESTS = compile_any(r"\brequests per\b|\brpm\b")
_NUMBER = r"(\d[\d,]{0,20}(?:k\b)?)"
_COMPARISON = re.compile(rf"{_NUMBER}(?: tokens)? ?> ?{_NUMBER}", re.IGNORECASE)
_TOO_LARGE = compile_any(r"too large|must be reduced|(larger|more) than .{0,40}limit")
_LIMIT = re.compile(
    rf"\b(?:limit|maximum|quota|allowed|allows)\W{{1,3}}(?:(?:of|is|only|up to) )?{_NUMBER}",
    re.IGNORECASE,
)
_LIMIT_WITH_UNIT = re.compile(
    rf"{_NUMBER} (?:\w+ )?(?:tokens? ?(?:/|per) ?(?:s|min|hour|day)|TP[MD]\b)", re.IGNORECASE
)
_REQUESTED = re.compile(
    r"\b(?:(?:requested|(?:request|prompt|input) (?:of|has|needs|requires|contains|with|is|was)"
    r"|needs|requires)\W{1,3}(?:about |only )?|(?:request|prompt|input) ?\()"
    rf"{_NUMBER}(?![\d,]| ?(?:m?s|sec|min)\w*\b)",
    re.IGNORECASE,
)


def exceeds_rate_limit(message: str) -> bool:
    """Whether waiting can't help, because one request is more than the limit of a minute."""
    if not _PER_TIME.search(message):
        return False
    compared = _COMPARISON.search(message)
    if compared and not _IS_COUNT_OF_REQUESTS.search(message):
        return _to_number(compared[1]) > _to_number(compared[2])
    limit = _LIMIT.search(message) or _LIMIT_WITH_UNIT.search(message)
    requested = _REQUESTED.search(message)
    if limit and requested:
        return _to_number(requested[1]) > _to_number(limit[1])
    return bool(_TOO_LARGE.search(message))


def _to_number(digits: str) -> int:
    number = digits.lower().replace(",", "").replace("k", "000")
    return int(number[:18] or 0)
