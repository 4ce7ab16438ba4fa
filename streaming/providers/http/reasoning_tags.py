"""The tags around the reasoning that some servers leave in the text, and where they mean it.

A tag is text where a person would read it as text: in code, in quotes, in the middle of a sentence.
"""

from __future__ import annotations

import functools
import re

NAMES = ("think", "thinking", "thought", "thoughts", "reasoning", "seed:think")
TAGS: tuple[tuple[str, str], ...] = (
    *((f"<{name}>", f"</{name}>") for name in NAMES),
    ("[think]", "[/think]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|start_thinking|>", "<|end_thinking|>"),
    ("<|channel>thought", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
    ("<|channel|>commentary<|message|>", "<|end|>"),
)
"""The tags that open and close a reasoning, in lower case: of DeepSeek, Qwen and most others, of
Seed, Magistral, Kimi, OpenThinker, Cohere, Gemma and gpt-oss."""
LONE_CLOSING_TAGS = tuple(closing for _, closing in TAGS if closing != "<|end|>")
"""Tags that may close a reasoning whose opening tag the server wrote into the prompt."""
ANSWER_TAGS = (
    "<|start|>assistant",
    "<|channel|>final<|message|>",
    "<|begin_of_solution|>",
    "<|start_response|>",
    "<|start_text|>",
)
"""Tags before an answer,"""
ANSWER_ENDS = ("<|return|>", "<|end_of_solution|>", "<|end_response|>", "<|end_text|>")
"""and after it; no part of either."""
LEADING_TAGS = (*(opening for opening, _ in TAGS), *LONE_CLOSING_TAGS, *ANSWER_TAGS)
"""Everything that may stand before a text."""
FIRST_CHARS = "<[◁"
INVISIBLE_CHARS = "\ufeff\u200b"
"""A byte order mark and a blank without width, which may stand before the first tag."""
_ATTRIBUTED = re.compile(
    rf"<({'|'.join(NAMES)})(?=[^<>\r\n]{{0,200}}>)"
    r"([ \t]+[\w:-]+[ \t]*=[ \t]*(\"[^\"]*\"|'[^']*'))*[ \t]*>",
    re.IGNORECASE,
)
"""An opening tag with attributes, such as <think type="reasoning">."""
_PARTLY_ATTRIBUTED = re.compile(rf"<({'|'.join(NAMES)})[ \t][^<>\r\n]{{0,200}}\Z", re.IGNORECASE)

MENTION_CHARS = 14
"""How many characters after a tag tell whether a text is about it."""
_MENTION = re.compile(
    r"[,;:)]|(?:[- ]?tags?| (?:is|are|was|were|and|or|means|marks|blocks?|elements?|tokens?|begins"
    r"|starts|opens|closes|ends))\b",
    re.IGNORECASE,
)
"""The words after a tag that a text is about."""
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$", re.MULTILINE)
_INDENTED_CODE = re.compile(r" {4,}|[ ]{0,3}\t")
_SENTENCE_ENDS = tuple(".!?…。！？")
_OPENING_MARKS = tuple("`'\"“”‘’«»„「『(（[")
_CLOSING_MARKS = tuple("`'\"“”‘’«»「」』)）],.;:!?")


def split_leading_tag(text: str) -> tuple[str, str]:
    """The tag that the text begins with, in any case of its letters, and the text after it; the
    longest, or none. An opening tag may have attributes."""
    if attributed := _ATTRIBUTED.match(text):
        return f"<{attributed[1].lower()}>", text[attributed.end() :]
    found = (tag for tag in LEADING_TAGS if text[: len(tag)].lower() == tag)
    tag = max(found, key=len, default="")
    return tag, text[len(tag) :]


def may_lead(text: str) -> bool:
    """Whether more text could make it begin with a tag."""
    if any(len(text) < len(tag) and tag.startswith(text.lower()) for tag in LEADING_TAGS):
        return True
    return _PARTLY_ATTRIBUTED.match(text) is not None


def measure_partial_tag(text: str, tags: tuple[str, ...]) -> int:
    """How many characters at the end of the text may be the beginning of a tag."""
    longest = min(len(text), max(map(len, tags)) - 1)
    end = text[len(text) - longest :].lower()
    if not any(first in end for first in FIRST_CHARS):
        return 0
    sizes = range(longest, 0, -1)
    return next((size for size in sizes if any(tag.startswith(end[-size:]) for tag in tags)), 0)


@functools.cache
def compile_tags(tags: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, tags)), re.IGNORECASE)


def is_mention(after: str) -> bool:
    """Whether a text that begins with a tag is about the tag, as `after` it shows."""
    return _MENTION.match(after) is not None


def ends_reasoning(before: str, tag: str, after: str) -> bool:
    """Whether everything before a lone closing tag was reasoning. `after` begins with a character
    that is no blank, or with a line end, or is empty at the end of the reply."""
    line = before.rsplit("\n", 1)[-1]
    if _is_opened(before, tag) or _ends_in_fence(before) or line.count("`") % 2:
        return False
    if not line.strip():
        return not _INDENTED_CODE.match(line)
    if not after.strip(" \t") or after.lstrip(" \t").startswith(("\n", "\r")):
        return not line.endswith(_OPENING_MARKS)
    if line.endswith(_OPENING_MARKS) or after.startswith(_CLOSING_MARKS):
        return False
    return not line.endswith((" ", "\t")) or line.rstrip().endswith(_SENTENCE_ENDS)


def is_line_before_text(after: str) -> bool:
    """Whether a line ends with a tag, and text follows in a later one."""
    return after.lstrip(" \t").startswith(("\n", "\r")) and bool(after.strip())


def _is_opened(before: str, closing: str) -> bool:
    opening = next(opening for opening, end in TAGS if end == closing.lower())
    return re.search(f"(?<!`){re.escape(opening)}(?!`)", before, re.IGNORECASE) is not None


def _ends_in_fence(text: str) -> bool:
    fence = ""
    for match in _FENCE.finditer(text):
        marks, rest = match.groups()
        if not fence:
            fence = marks if marks[0] == "~" or "`" not in rest else ""
        elif marks.startswith(fence) and not rest.strip():
            fence = ""
    return bool(fence)
