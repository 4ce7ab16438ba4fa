"""Finds the meaning of an error in its sentence, by what the wordings of many servers share.

A rule joins two halves, such as something that is sent and a word for too much of it. So it finds
sentences that nobody has seen yet. Its exceptions are sentences of another meaning that have both
halves too.
"""

from __future__ import annotations

import re
from http import HTTPStatus

SAME_SENTENCE = r"(?:(?![.!?;]\s).){0,160}?"


def compile_any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)


def compile_halves(first: str, second: str) -> re.Pattern[str]:
    """Both halves in one sentence, in any order."""
    return compile_any(
        f"(?:{first}){SAME_SENTENCE}(?:{second})", f"(?:{second}){SAME_SENTENCE}(?:{first})"
    )


# A part of the request is refused (`optional_parts` has the names of the parts)

FIELD_KINDS = "parameter|argument|field|property|properties|key|keyword|name|option|参数|字段"
NOT_TAKEN = (
    r"(not|n['’]t) (an? |yet |currently )?(been )?(support|permit|allow|enabl|accept|implement)"
    r"|unsupported|deprecated|\bno longer|不支持|不允许|不接受|无法识别|未知的?(参数|字段)"
    r"|(サポートされ|対応し)てい(ません|ない)"
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
REFUSED_TO_ACCOUNT = compile_any(
    r"organi[sz]ation|\bverif|data retention|your (account|project|plan|tier|(api )?key)|permission"
)
"""Refusals that are about the key and not about the model."""

# The server has not enough memory

OUT_OF_MEMORY = compile_any(
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

NO_CREDIT = compile_any(r"credit balance is too low|spend(ing)? limit|\blimit: 0\b")
WRONG_KEY = compile_any(
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
WRONG_TOKEN = compile_any(
    r"\b(no|missing|invalid|expired|wrong|malformed) token\b"
    r"|\btoken (is |was |has )?(missing|required|invalid|expired)"
)
"""Where the status says that the token is no word of a prompt."""
ACCOUNT_SETTINGS = compile_any(
    r"data policy|privacy settings|settings/(privacy|preferences)|(allowed|ignored) providers"
    r"|providers? you have enabled|(your|the) account settings|enable (the |this )?model in"
)
_NO_FIELD = r"(?:(?!\b(parameter|argument|field|option|setting|mode|feature)s?\b).)"
"""A character of a sentence about the model itself."""
MODEL_NOT_LOADED = compile_any(
    r"\bno models? (is |are )?(currently )?loaded|models?\b.{0,80}(not|n['’]t) (been |currently )?"
    r"(loaded|deployed|downloaded|installed|running)\b(?! yet)"
    r"|models? (is |was |has been )?unloaded|try pulling|pull (it|the model)"
    r"|(failed|unable|could not|cannot) (to )?load (the )?model"
)
MODEL_NOT_FOUND = compile_any(
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
MODEL_UNAVAILABLE = compile_any(
    rf"models?\b{_NO_FIELD}{{0,100}}?"
    r"((not|n['’]t) (currently )?available|\bunavailable)",
    r"\bno (healthy |available )?deployments?\b.{0,40}\bmodel",
)
PASSING_FAULT = compile_any(
    r"at the moment|\bnow\b|temporary|temporarily|try again"
    r"|\blater\b|\bbusy\b|overload|capacity|\bretry"
)
"""Words of a fault that passes in a minute."""
NOTHING_SUPPORTS = compile_any(r"\bno (endpoint|provider)s? (\w+ ){0,3}(support|handle)s?\b")
"""Of routers, for a part of the request that none of their servers takes, under 404."""
NO_CHANNEL = compile_any(r"no available (channels?|providers?) for .{0,80}\bmodel")
"""Of routers, for a model that they have nowhere. They call it a passing fault."""
UNKNOWN_ADDRESS = compile_any(
    r"^(404|405)?\W*(page |method )?not (found|allowed)\W*(nginx\S*)?$|unexpected endpoint"
    r"|cannot post|no route|invalid url|unknown_url|unknown (url|endpoint|path|route)"
)
CERTAINLY_UNKNOWN_ADDRESS = compile_any(
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


TIMED_OUT = compile_any(
    r"context deadline exceeded|upstream (request )?timed? ?out|^\W*request time-?out\W*$",
    r"\b(request|response|read|generation|inference|completion|model)\b((?!connect).){0,20}"
    r"\btimed out\b(?!.{0,20}connect)",
    r"APITimeoutError|ReadTimeout|litellm\.Timeout",
    r"timed? ?out (while )?(waiting for|awaiting|reading) (the |a )?"
    r"(model|response|reply|answer|upstream|backend)",
)

PROXY_SIZE_LIMIT = compile_any(r"(entity|content|payload|body) (is )?too large")
