"""The meaning of a finish reason, in whatever words a server gives it.

Servers spell the same few meanings in many ways: end_turn, eos_token, FINISH_REASON_STOP. So a word
is recognised by the parts that such words have in common.
"""

from __future__ import annotations

import re

from streaming.providers.http.parsed import Meaning, Reason

MAX_WORD_CHARS = 80
MAX_CODE_CHARS = 60
"""Letters and digits of a reason; anything longer is a text, whose parts prove nothing."""

PLACEHOLDER = re.compile(
    "(null|none|nil|undefined|unspecified|unknown|unset|true|false|0|nan|na|empty|notfinished|ongoing"
    "|inprogress|generating|streaming|running|pending)?"
)
"""Values in place of a reason while there is none, as a whole."""
FIELD_NAME = re.compile("^(finish|stop|end|done|block)?reason(?=.)")
"""Enumerations repeat the name of their type in front: FINISH_REASON_STOP, FinishReason.STOP."""

CLOSING_TAG = "</"
"""Of a token such as </s>, which ends a text."""

DONE = re.compile(
    "(?=.*(stop|end|eo[stmdg]|done|complete|completion|finish|succe(ss|ed)|normal|natural|ok(ay)?$))"
    "((user|custom)(?=stop(seq|str|word|token))|stop(ped|ping)?|end(s|ed)?|eo[stmdg]|done|completed?"
    "|completion|finish(ed)?|success|successful(ly)?|succeed(s|ed)?|normal(ly)?|natural(ly)?|ok(ay)?"
    "|of|the|turn|sentence|sequences?|seq|tokens?|ids?|text|words?|str|strings?|matched|match"
    "|criteri(a|on)|conditions?|met|hit|found|reached|reply|response|message|model|generation"
    "|generated|stream|output|answer|im|by|at|on|with|is|was|has|been|all|because)+"
)
"""These parts make up the whole of a word for a complete reply, so nothing can say the opposite."""
RULES: tuple[tuple[Meaning, str], ...] = (
    ("refusal", "refus|declin"),
    (
        "content_filter",
        "filter|safety|unsafe|sensitive|recitation|block|prohibit|forbid|guardrail|moderat|policy"
        "|violat|spii|toxic|harmful|censor|armor|copyright|escalation|puplimited|nsfw|jailbreak"
        "|^language$",
    ),
    (
        "cut_off",
        "error|fail|cancel|abort|interrupt|insufficient|resource|load|busy|capacity|throttl|quota"
        "|(rate|time|usage|credit|spend|spending|cost|request)limit|timeout|timedout|outoftime"
        "|maxtime|deadline|expire|network|connect|unavailable|memory|oom$|malfunction|malformed"
        "|invalid|internal|crash|kill|terminated|preempt|evict|shutdown|pause|repeti|degenerat"
        "|exception|panic|missing|lost|^err$|died|dead|closed|stalled|broken|dropped|reset|restart"
        "|(queue|server|slots?|disk|buffer)(is)?full",
    ),
    ("tool_calls", "tool|function"),
    (
        "length",
        "length|limit|max|exceed|exhaust|window|context|ctx|full(?!y)|npredict|numpredict|budget|truncated|truncation"
        "|continuation",
    ),
    ("cut_off", "incomplete|unfinished|partial|cutoff"),
)
"""Tried in order: a limit of time or of the rate is no length, a malformed call is no call."""
USUAL_WORDS = re.compile(
    "length|max(output)?tokens|contentfilter(ed)?|refusal|toolcalls?|tooluse|functioncall"
)
"""These say no more than our own words for them."""


def parse_reason(value: object) -> Reason | None:
    """The reason in a field of an event; None if the field holds none, or nothing like one."""
    if value is None:  # nearly always
        return None
    word = extract_word(value)
    code = re.sub(r"[\W_]", "", word.replace(CLOSING_TAG, "end")).lower()
    code = FIELD_NAME.sub("", code, count=1)
    if PLACEHOLDER.fullmatch(code):
        return None
    meaning = _find_meaning(code)
    is_usual = meaning == "stop" or USUAL_WORDS.fullmatch(code)
    return Reason(meaning, "" if is_usual else word)


def extract_word(value: object) -> str:
    """The provider's word in one line. Some servers wrap it: {"type": "abort", …}, ["stop"]."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("type") or value.get("reason")
    if not isinstance(value, (str, int, float)):
        return ""
    printable = "".join(char if char.isprintable() else " " for char in str(value)[:1000])
    word = " ".join(printable.split())
    return word if len(word) <= MAX_WORD_CHARS else f"{word[: MAX_WORD_CHARS - 1]}…"


def _find_meaning(code: str) -> Meaning:
    if len(code) > MAX_CODE_CHARS:
        return "other"
    if DONE.fullmatch(code):
        return "stop"
    return next((meaning for meaning, parts in RULES if re.search(parts, code)), "other")
