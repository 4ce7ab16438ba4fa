"""Recognizes messages about the answer before them: “make it shorter please”, “in Python instead”.

A missed one costs little, since the last exchange is sent anyway. A false one adds a misleading
hint to the prompt. In doubt, a message is therefore not a follow-up: if it is long, if it brings
its own material, or if its “it” or “that” is only grammar.

To add a language, add its patterns to `PATTERNS_BY_LANGUAGE`. All are tried, because the language
of a message is unknown.
"""

from __future__ import annotations

import re

MAX_FOLLOWUP_CHARS = 200
"""Longer messages are understandable by themselves."""

SELF_CONTAINED = re.compile(r"```|:\s*\n|\n\s*\n|https?://")
"""Code, a quotation or a URL: the message brings its own material."""

# Verbs for changing an existing text.
_DO = (
    r"(?:make|turn|put|write|rewrite|rephrase|reword|shorten|lengthen|expand|extend|simplify|explain"
    r"|translate|convert|change|fix|improve|correct|format|reformat|summari[sz]e|condense|trim|cut"
    r"|polish|tidy|redo|repeat|try|say|show|give|do|split|continue|break|clarify|prove|check|test"
    r"|run|use|add to|elaborate on|expand on|say more about|tell me more about|go over)"
)
_POLITE = (
    r"(?:(?:please|ok(?:ay)?|now|and|but|then|hm+|thanks?|great|nice|could|can|would|you|just)"
    r"[,.! ]+)*"
)
_MORE = (
    r"(?:shorter|longer|simpler|briefer|clearer|easier|funnier|friendlier|nicer|better|sharper"
    r"|stronger|warmer|(?:more|less) \w+"
    r"|(?:a bit |much |slightly |even )(?:\w+er|more|less)(?: \w+)?)"
)
_AFTER = (
    r"(?=\s*(?:$|[.,;!?)]|(?:in|into|to|as|for|from|with|without|by|like|again|more|less|please|now"
    r"|instead|too|further|shorter|longer|simpler|better|a bit|step|down|up|over|work|mean|means"
    r"|using|and|so|once)\b))"
)

ENGLISH = (
    # “make it shorter”, “can you translate that into French?”, “explain this in simple words”
    rf"\b{_DO} (?:me )?(?:it|them){_AFTER}",
    rf"\b{_DO} (?:me )?(?:that|this|these|those|all (?:of )?(?:that|this|it)){_AFTER}",
    # “shorter please”, “more formal”, “a bit friendlier, please”
    rf"^{_POLITE}(?:make )?{_MORE}(?:[,.! ]+please)?[.!? ]*$",
    # “again”, “go on”, “once more but in German”, “why?”, “another example”, “like what?”
    rf"^{_POLITE}(?:again|once more|go on|continue|keep going|carry on|more|elaborate|tl;?dr)\b",
    rf"^{_POLITE}(?:why(?: not| so| is that)?|how so|how come|like what|such as|meaning|really"
    r"|are you sure|is that (?:so|true|right|correct|all))\s*[?!.]*$",
    rf"^{_POLITE}(?:give (?:me )?)?(?:another|one more|a different|two more|three more|more)"
    r"(?: (?:one|example|examples|version|idea|ideas|option|options|try))?(?:,? please)?[.!? ]*$",
    # “in Python instead”, “now in German”, “as a table, please”, “the same but with tabs”
    rf"^{_POLITE}(?:in|as|with|without|for|using) .{{1,60}}\b(?:instead|please)\b",
    rf"^{_POLITE}(?:now|but|and|same|the same)[, ]+(?:thing )?(?:but )?(?:in|as|with|without|for) ",
    rf"^{_POLITE}(?:in|as) (?:an? )?[\w+#]+(?: \w+)?[.!? ]*$",
    r"\binstead\s*[.!?]*$",
    # “what do you mean by …”, “you said …”, “your last answer”, “the above”, “point 3”
    r"\bwhat (?:do|did) you mean\b|\byou(?:'ve| have)? (?:just |also )?(?:said|wrote|mentioned)\b",
    r"\byour (?:last|previous|first|second|third|earlier)? ?"
    r"(?:answer|reply|response|message|explanation|example|suggestion|point)s?\b",
    r"\b(?:the|from|of|mentioned) above\b|\bthe (?:first|second|third|last|previous) (?:one|point"
    r"|paragraph|sentence|step|example|part|option|version)\b",
    r"\bwhat (?:about|is|does|do) (?:it|that|this|these|those|them)(?: mean)?\s*[?!.]*$",
    r"^(?:and |but |so )?(?:is|are|was|does|do|can|could|will|would|should)"
    r" (?:it|that|this|they|those|these)(?: also| always| ever| really| still)?"
    r" (?:work|mean|apply|hold|scale|matter|count|help|run|enough|safe|necessary|the same|correct"
    r"|right|true)\b(?! (?:that|to|if|when|how|why|whether)\b).{0,60}$",
    r"\b(?:too|not) (?:long|short|formal|complicated|technical|vague|verbose|clear|enough|quite)"
    r"\s*[.!]*$",
)

PATTERNS_BY_LANGUAGE: dict[str, tuple[str, ...]] = {"en": ENGLISH}


def compile_patterns(by_language: dict[str, tuple[str, ...]]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(each, re.IGNORECASE) for row in by_language.values() for each in row)


PATTERNS = compile_patterns(PATTERNS_BY_LANGUAGE)


def is_followup(message: str) -> bool:
    text = " ".join(message.split())
    if not text or len(text) > MAX_FOLLOWUP_CHARS or SELF_CONTAINED.search(message):
        return False
    return any(pattern.search(text) for pattern in PATTERNS)
