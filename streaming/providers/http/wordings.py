"""Finds the meaning of an error in its sentence, by what the wordings of many servers share.

A rule joins two halves, such as something that is sent and a word for too much of it. So it finds
sentences that nobody has seen yet. Its exceptions are sentences of another meaning that have both
halves too.
"""

from __future__ import annotations

import re
from http import HTTPStatus

SAME_SENTENCE = r"(?:(?![.!?;]\s).){0,160}?"


def _compile(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)


def compile_halves(first: str, second: str) -> re.Pattern[str]:
    """Both halves in one sentence, in any order."""
    return _compile(
        f"(?:{first}){SAME_SENTENCE}(?:{second})", f"(?:{second}){SAME_SENTENCE}(?:{first})"
    )


# A part of the request is refused (`optional_parts` has the names of the parts)

FIELD_KINDS = "parameter|argument|field|property|properties|key|keyword|name|option"
NOT_TAKEN = (
    r"(not|n['’]t) (an? |yet |currently )?(been )?(support|permit|allow|enabl|accept|implement)"
    r"|unsupported|deprecated|\bno longer"
    r"|\bno (endpoint|provider|model|backend|deployment)s? (\w+ ){0,3}(support|accept|handle)s?"
)
VALUE_LIMIT = (
    r"\b(must|should|has to|have to|needs? to|can(not|['’]t)?|may)( only| not)? "
    r"(be|equal|exceed|match|lie)\b|\bexpect(s|ed)\b|\bone of\b|\bbetween\b|\bexceed(s|ed)?\b"
    r"|\b((in|of|the|valid|allowed|supported|value) range|range (of|for|is))\b|>=|<=|[<>] ?\d"
    r"|(supported|unexpected|unknown|invalid|illegal|bad|wrong) (values?|options|efforts|levels)\b"
    r"|unknown variant|value of \S+ is (not|in)|too (large|high|big|low|small)\b"
    r"|\bat (least|most)\b|\b(less|greater|more|lower|higher) than\b|\b(maximum|minimum) value\b"
    r"|必须|只能|范围|超过|超出"
)
"""The constraint that a value breaks. No sentence about an unknown field has these words."""
WRONG_VALUE = rf"{VALUE_LIMIT}|\b(invalid|illegal|malformed|outside)\b|\bnot (a )?valid\b|无效|非法"
REPLY_LIMIT_FIELD = r"max\w*[ _]?tokens|max(imum)?[ _](output|completion|new|response)[ _]tokens"
REFUSED_TO_ACCOUNT = _compile(
    r"organi[sz]ation|\bverif|data retention|your (account|project|plan|tier)"
)
"""Refusals that are about the key and not about the model."""

# The conversation does not fit the model

CONTEXT_CODES = _compile(
    r"context_(length|window|size|limit)|exceed\w*_context|context_exceeded"
    r"|(input|prompt|request|payload)_(tokens?_)?(is_)?too_(large|long)|too_many_tokens"
    r"|tokens?_limit_(reached|exceeded)|max_prompt_tokens|prompt_tokens_exceeded|ContextWindow"
)
STRING_LENGTH_CODES = _compile(r"(string|array)_above_max_length|(string|list)_too_long")
"""The parameter decides what is too long."""
CONVERSATION_FIELDS = _compile(r"^$|^/?(messages?|inputs?|prompt|contents?|instructions|system)\b")

_SENT = (
    r"context|prompts?\b|\binputs?\b|input_ids|tokens\b|\btoken (count|limit|length|size)"
    r"|messages?\b|conversation|\bsequence|history|model length|max_model_len"
)
_TOO_MUCH = (
    r"exceed|too (long|large|big|many)|maximum|\bmax\b|(longer|larger|greater|bigger|more) than"
    r"|overflow|beyond|over the|out of range|range of|(fewer|less) than|at most \d{2}|not enough"
    r"|[<>]=? ?\d{2}"
    r"|(not|n['’]t) fit|reduce the length|shorten|\bfull\b|\blimit\b"
    r"|surpass|only (handle|process|take|accept)s? (\w+ ){0,2}\d|above the"
)
_CONTEXT = compile_halves(_SENT, _TOO_MUCH)
_CONTEXT_CHINESE = compile_halves(
    "上下文|输入|提示词|对话|消息|令牌|token", "超过|超出|过长|超长|太长|超限|上限"
)
_NOT_SENT = _compile(
    r"(failed|unable|could not|cannot|can['’]t) (to )?parse\b.*|<[^<>\s][^<>]{0,60}>|[-=]>",
    r"input validation error|(malformed|invalid) input( request)?|input should|input tag"
    r"|context (deadline|cancel|manager|cache)|message (handler|queue|broker|bus)"
    r"|\w+ index out of range|stop sequences?"
    r"|(auth\w*|access|api|bearer|jwt|csrf|refresh|security) tokens?",
)
"""Parts of sentences whose words mean something else: also what a model wrote, tags and arrows."""
_SYSTEM_ROLE = _compile(r"\broles?\b|\b(system|developer)\W+(messages?|prompts?)\b")
_LENGTH = _compile(r"\d{3}|context|tokens?\b|length|\b(long|large|longer|larger)\b|window")
PER_TIME = (
    r"(\bper[ -]?|tokens?/ ?)(second|min|minute|hour|day|month|week)\b"
    r"|\b[tr]p[md]\b|daily|hourly|monthly"
)
_OTHER_LIMIT = _compile(
    PER_TIME,
    r"rate.?limit|quota|billing|credit|afford|concurren|in flight|queue|retries|requests limit",
    r"(limit|maximum) (of|for|on|in) (your|this|the) (\w+ )?(plan|account|subscription|tier)\b",
    r"recursion|call stack|stack (size|overflow)|deadline|time.?out",
    r"\bpool\b|\bdisk\b|\d ?[KMG]i?B\b",
    r"(image|audio|video|file) inputs?\b",
    r"safety|harm|toxic|moderation|policy",
    r"(number of|many|most \d+|(maximum|limit) of \d+) (image|file|tool|function|stop|audio|video)",
    r"temperature|top_[pk]\b|penalty|logprob|频率|速率|每分钟|额度|余额|并发",
)
_REPLY_LIMIT = _compile(
    rf"{REPLY_LIMIT_FIELD}|(output|completion|generated|generation|response|new) (tokens|length)"
)
_PROMPT = _compile(
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
    return bool(_CONTEXT.search(text) or _CONTEXT_CHINESE.search(text))


# The request alone is larger than what may be sent in a minute

_PER_TIME = _compile(PER_TIME)
_TOO_LARGE = _compile(r"too large|must be reduced|(larger|more) than .{0,40}limit")
_LIMIT = re.compile(
    r"\b(?:limit|maximum|allowed|allows)\W{1,3}(?:(?:of|is|only|up to) )?(\d[\d,]*)", re.IGNORECASE
)
_REQUESTED = re.compile(
    r"\b(?:requested|(?:request|prompt|input) (?:of|has|needs|requires|contains|with|is)"
    r"|needs|requires)\W{1,3}(?:about |only )?(\d[\d,]*)(?![\d,]| ?(?:m?s|sec|min)\w*\b)",
    re.IGNORECASE,
)


def exceeds_rate_limit(message: str) -> bool:
    """Whether waiting can't help, because one request is more than the limit of a minute."""
    if not _PER_TIME.search(message):
        return False
    limit, requested = _LIMIT.search(message), _REQUESTED.search(message)
    if limit and requested:
        return _to_number(requested[1]) > _to_number(limit[1])
    return bool(_TOO_LARGE.search(message))


def _to_number(digits: str) -> int:
    return int(digits.replace(",", "")[:18] or 0)


# The server has not enough memory

OUT_OF_MEMORY = _compile(
    r"out.?of.?memory|\boom\b|bad_alloc|\bMemoryError\b|signal: killed|exit (status|code) 137"
    r"|cudaMalloc|ALLOC_FAILED|insufficient system resources",
    r"(insufficient|not enough|no (free|available)|low on|lacks?) (\w+ ){0,3}(memory|vram|ram)\b",
    r"(requires?|needs?) (\w+ ){0,3}(memory|vram|ram)\b",
    r"(exceed\w*|larger than|fit in\w*) (\w+ ){0,3}(memory|vram|ram)\b",
    r"(failed|unable|could not|cannot|can['’]t) (to )?(\w+ )?allocate"
    r"(?! (a |an )?(slot|worker|port|connection|address|session))",
    r"(memory|vram) (is |was )?(exhausted|insufficient|full)",
    r"memory (limit|allocation)\b(?! of your)(?!.{0,80}(support|parameter))",
    r"MemoryAllocation|\bkv.?cache (is )?full|\bout of (gpu )?vram\b",
    r"too large for (\w+ ){0,3}(memory|vram|ram)\b|load (the )?model\W{1,3}insufficient resources",
    r"\bmodel (requires|needs) [\d.]+ ?[GM]i?B\b",
)

# The account, the key or the model is not there

NO_CREDIT = _compile(r"credit balance is too low|spend(ing)? limit|\blimit: 0\b")
WRONG_KEY = _compile(
    r"api[ _-]?key\b.{0,20}\b(not valid|invalid|incorrect|expired)",
    r"\b(invalid|incorrect|wrong|unknown|expired|malformed)\b.{0,20}\bapi[ _-]?key",
    r"\b(no|missing|without|provide( an?| your)?|requires? an?|need an?)( valid)? api[ _-]?key\b",
    r"\bapi[ _-]?key (is |was )?(missing|required|not (set|provided|found|passed))",
    r"^\W*(401\W*)?(unauthorized|unauthenticated|authentication (error|failed|required))\b",
    r"missing (the |an? )?authorization|\bauthorization header (is )?(missing|required)",
)
ACCOUNT_SETTINGS = _compile(
    r"data policy|privacy settings|settings/(privacy|preferences)|(allowed|ignored) providers"
    r"|providers? you have enabled|(your|the) account settings|enable (the |this )?model in"
)
MODEL_NOT_LOADED = _compile(
    r"\bno models? (is |are )?(currently )?loaded|models?\b.{0,80}not (been |currently )?"
    r"(loaded|deployed|downloaded|installed|running)|try pulling|pull (it|the model)"
    r"|(failed|unable|could not|cannot) (to )?load (the )?model"
)
MODEL_NOT_FOUND = _compile(
    r"(models?|deployment)\b(?:(?!\b(parameter|argument|field|option|setting|mode|feature)s?\b).)"
    r"{0,100}?(not found|not exist|no longer (available|supported)"
    r"|decommissioned|retired|not (currently )?(available|served)|not a valid model|is invalid"
    r"|unknown model)",
    r"(no such|unknown|invalid|unrecogni[sz]ed|unsupported|non-?existent|find|access) "
    r"(the |any |a )?(model|deployment)\b(?! (param|option|setting|arg|input|output|config|role))",
    r"not a valid model|no endpoints found( for|\W*$)|no models? (found|available)"
    r"|model\W+\S{1,100}\W+is not supported|requested model is not supported"
    r"|\bno models? (named|called|with)|no available (channels?|providers?) for"
    r"|模型.{0,80}?(不存在|未找到|已下线)|(找不到|没有).{0,20}?模型",
)
NOTHING_SUPPORTS = _compile(r"\bno (endpoint|provider)s? (\w+ ){0,3}(support|handle)s?\b")
"""Of routers, for a part of the request that none of their servers takes, under 404."""
NO_CHANNEL = _compile(r"no available (channels?|providers?) for .{0,80}\bmodel")
"""Of routers, for a model that they have nowhere. They call it a passing fault."""
UNKNOWN_ADDRESS = _compile(
    r"^(404|405)?\W*(page |method )?not (found|allowed)\W*(nginx\S*)?$|unexpected endpoint"
    r"|cannot post|no route|invalid url|unknown_url|unknown (url|endpoint|path|route)"
)

# A proxy answered

_STATUS_PHRASES = {status.phrase.lower(): int(status) for status in HTTPStatus if status >= 400}
_STATUS_PHRASES |= {"payload too large": 413, "no healthy upstream": 503, "access denied": 403}
_STATUS_LINE = re.compile(
    r"\W*(?:(?:error|http(?:/[\d.]+)?|status|code)\b\W*)*([45]\d\d)?\b\W*([a-z' -]*)\W*"
)


def read_status_line(message: str) -> int:
    """The status that a proxy says in words, or with its number: “Bad Gateway”, “401 Unauthorized”;
    0 where it says none."""
    line = _STATUS_LINE.fullmatch(message.lower()[:100])
    number, phrase = line.groups() if line else ("", "")
    status = _STATUS_PHRASES.get(phrase.strip(), 0)
    return int(number) if number and status else status


TIMED_OUT = _compile(
    r"context deadline exceeded|upstream (request )?timed? ?out|^\W*request time-?out\W*$",
    r"\b(request|response|read|generation|inference|completion|model)\b((?!connect).){0,20}"
    r"\btimed out\b(?!.{0,20}connect)",
    r"APITimeoutError|ReadTimeout|litellm\.Timeout",
    r"timed? ?out (while )?(waiting for|awaiting|reading) (the |a )?"
    r"(model|response|reply|answer|upstream|backend)",
)

PROXY_SIZE_LIMIT = _compile(r"(entity|content|payload|body) (is )?too large")
