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
REPLY_LIMIT_FIELD = (
    r"max\w{0,40}[ _]?tokens|max(imum)?[ _](output|completion|new|response)[ _]tokens"
)
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
    r"|messages?\b|conversation|\bsequence|history|model length|max_model_len|\bn_(past|ctx)\b"
    r"|プロンプト|コンテキスト|トークン|入力|会話|kontext|eingabe|프롬프트|입력|запрос|контекст"
)
_TOO_MUCH = (
    r"exceed|too (long|large|big|many)|maximum|\bmax\b|(longer|larger|greater|bigger|more) than"
    r"|overflow|beyond|over the|out of range|range of|(fewer|less) than|at most \d\d|not enough"
    r"|[<>]=? ?\d\d|(not|n['’]t) fit|reduce the length|shorten|\bfull\b|\blimit\b"
    r"|\bover (max|\d)|長すぎ|超え|超過|zu (lang|gro[ßs])|trop (long|grand)"
    r"|너무 (길|깁|긴)|слишком длин"
    r"|surpass|only (handle|process|take|accept)s? (\w+ )?(\w+ )?\d|above the"
)
_CONTEXT = compile_halves(_SENT, _TOO_MUCH)
_CONTEXT_CHINESE = compile_halves(
    "上下文|输入|提示词|对话|消息|令牌|token|长度", "超过|超出|过长|超长|太长|超限|上限"
)
_KV_CACHE = r"\bkv(.?cache)?\b"
_CONTEXT_SMALL = _compile(
    rf"(context( window| size| length)?|\bn_ctx|max_model_len|{_KV_CACHE}) (is )?too (small|short)",
    rf"(find|found|no|free)\b.{{0,20}}\b(space|room|slots?)\b.{{0,10}}{_KV_CACHE}",
    rf"(find|found|no|free)\b.{{0,20}}{_KV_CACHE} (space|room|slots?)\b",
    r"\b(text|chat|question|query|request|content|dialogue) (is |was )?too long\b",
)
"""Wordings of servers that name the room, or what was sent by another name."""
_NOT_SENT = _compile(
    r"(failed|unable|could not|cannot|can['’]t) (to )?parse\b.*|<[^<>\s][^<>]{0,60}>|[-=]>",
    r"input validation error|(malformed|invalid) input( request)?|input should|input tag"
    r"|context (deadline|cancel|manager|cache)|message (handler|queue|broker|bus)"
    r"|\b\w{1,60} index out of range|stop sequences?"
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
    r"temperature|top_[pk]\b|penalty|logprob|频率|速率|每分钟|毎分|次数|额度|余额|并发",
)
_REPLY_LIMIT = _compile(
    rf"(?!max_?(total|input|prompt|context|seq|model)){REPLY_LIMIT_FIELD}"
    r"|(output|completion|generated|generation|response|new) (tokens|length)"
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
    return any(p.search(text) for p in (_CONTEXT, _CONTEXT_SMALL, _CONTEXT_CHINESE))


CONTEXT_NAMES = _compile(r"(maximum|max|model'?s?) context|context (length|window|size|limit)")
"""The window of the model, in the answers of servers that use the status of a rate limit for it."""


# The request alone is larger than what may be sent in a minute

_PER_TIME = _compile(PER_TIME)
_IS_COUNT_OF_REQUESTS = _compile(r"\brequests per\b|\brpm\b")
_NUMBER = r"(\d[\d,]{0,20}(?:k\b)?)"
_COMPARISON = re.compile(rf"{_NUMBER}(?: tokens)? ?> ?{_NUMBER}", re.IGNORECASE)
_TOO_LARGE = _compile(r"too large|must be reduced|(larger|more) than .{0,40}limit")
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


# The server has not enough memory

OUT_OF_MEMORY = _compile(
    r"out.?of.?([a-z]{1,8}.?)?memory|\boom\b|bad_alloc|\bMemoryError\b|signal: killed"
    r"|exit (status|code)\W{1,3}137"
    r"|cudaMalloc|ALLOC_FAILED|insufficient system resources",
    r"(insufficient|not enough|no (free|available)|low on|lacks?) (\w+ ){0,3}(memory|vram|ram)\b",
    r"(requires?|needs?) (\w+ ){0,3}(memory|vram|ram)\b",
    r"(exceed\w*|larger than|fit in\w*) (\w+ ){0,3}(memory|vram|ram)\b",
    r"(failed|unable|could not|cannot|can['’]t) (to )?(\w+ )?allocate"
    r"(?! (a |an )?(slot|worker|port|connection|address|session))",
    r"(memory|vram) (is |was )?(exhausted|insufficient|full)",
    r"memory (limit|allocation)\b(?! of your)(?!.{0,80}(support|parameter))",
    r"MemoryAllocation|\bkv.?cache (is )?full|\bout of (gpu )?vram\b",
    r"(\bnot?|n['’]t|without)\b.{0,40}\benough (\w+ ){0,3}(memory|vram|ram)\b|\bno memory slot"
    r"|find (a |any )?(free )?memory slot|(显存|内存)(不足|不够|已满|溢出)",
    r"too large for (the |this |your )?(system|machine|host|computer|gpu|device)\b(?! learning)",
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
    r"^\W*not authenticated",
    r"\bcredentials (were |are )?(not (provided|valid|given)|missing|invalid)",
    r"\bno (valid )?credentials",
    r"\b(no|missing|invalid|expired|wrong|malformed) (bearer|access|auth\w*|api) token\b",
    r"\b(bearer|access|auth\w*|api) token (is |was |has )?(missing|required|invalid|expired)",
    r"missing (the |an? )?authorization|\bauthorization header (is )?(missing|required)",
)
WRONG_TOKEN = _compile(
    r"\b(no|missing|invalid|expired|wrong|malformed) token\b"
    r"|\btoken (is |was |has )?(missing|required|invalid|expired)"
)
"""Where the status says that the token is no word of a prompt."""
ACCOUNT_SETTINGS = _compile(
    r"data policy|privacy settings|settings/(privacy|preferences)|(allowed|ignored) providers"
    r"|providers? you have enabled|(your|the) account settings|enable (the |this )?model in"
)
_NO_FIELD = r"(?:(?!\b(parameter|argument|field|option|setting|mode|feature)s?\b).)"
"""A character of a sentence about the model itself."""
MODEL_NOT_LOADED = _compile(
    r"\bno models? (is |are )?(currently )?loaded|models?\b.{0,80}(not|n['’]t) (been |currently )?"
    r"(loaded|deployed|downloaded|installed|running)\b(?! yet)"
    r"|models? (is |was |has been )?unloaded|try pulling|pull (it|the model)"
    r"|(failed|unable|could not|cannot) (to )?load (the )?model"
)
MODEL_NOT_FOUND = _compile(
    rf"(models?|deployment)\b{_NO_FIELD}{{0,100}}?"
    r"((not|n['’]t) (be )?(found|exist|served|currently served)|no longer (available|supported)"
    r"|decommissioned|retired|discontinued|not a valid model|is invalid|unknown model)",
    rf"models?\b{_NO_FIELD}{{0,100}}?been (shut ?down|removed|deleted|withdrawn|turned off)",
    r"(not|n['’]t) (in|among|on|one of) (the |our |your )?(list of )?(\w+ ){0,2}models\b",
    r"(not|n['’]t) support (the )?(chat|generate)\b(?! (?!completion)\w)|not a (chat|text) model",
    r"(not|n['’]t|unable to|failed to) (resolve|locate) (the |any |a )?model",
    r"\bno ['\"]?model_?name",
    r"^\W*(model_not_(found|available|supported)|(unknown|invalid)_model)\W*$",
    r"(no such|unknown|invalid|unrecogni[sz]ed|unsupported|non-?existent|find|access) "
    r"(the |any |a )?(model|deployment)\b(?! (param|option|setting|arg|input|output|config|role))",
    r"not a valid model|no endpoints found( for|\W*$)|no models? (found|available)"
    r"|model\W+\S{1,100}\W+is not supported|requested model is not supported"
    r"|\bno models? (named|called|with)|no available (channels?|providers?) for"
    r"|模型.{0,80}?(不存在|未找到|已下线)|(找不到|没有).{0,20}?模型|无(此|该)模型",
)
MODEL_UNAVAILABLE = _compile(
    rf"models?\b{_NO_FIELD}{{0,100}}?"
    r"((not|n['’]t) (currently )?available|\bunavailable)",
    r"\bno (healthy |available )?deployments?\b.{0,40}\bmodel",
)
PASSING_FAULT = _compile(
    r"at the moment|\bnow\b|temporary|temporarily|try again"
    r"|\blater\b|\bbusy\b|overload|capacity|\bretry"
)
"""Words of a fault that passes in a minute."""
NOTHING_SUPPORTS = _compile(r"\bno (endpoint|provider)s? (\w+ ){0,3}(support|handle)s?\b")
"""Of routers, for a part of the request that none of their servers takes, under 404."""
NO_CHANNEL = _compile(r"no available (channels?|providers?) for .{0,80}\bmodel")
"""Of routers, for a model that they have nowhere. They call it a passing fault."""
UNKNOWN_ADDRESS = _compile(
    r"^(404|405)?\W*(page |method )?not (found|allowed)\W*(nginx\S*)?$|unexpected endpoint"
    r"|cannot post|no route|invalid url|unknown_url|unknown (url|endpoint|path|route)"
)
CERTAINLY_UNKNOWN_ADDRESS = _compile(
    r"unexpected endpoint|cannot (post|get) /|invalid url \(|unknown_url"
    r"|(unknown|no such) (url|endpoint|route)\b"
)
"""Whatever the status is: LM Studio says it under 200."""

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
