"""Tells reasoning from text where a server sends both as text, with tags between them."""

from __future__ import annotations

import io
from collections.abc import Hashable, Sequence

from streaming.events import Delta, DeltaKind
from streaming.providers.http import reasoning_tags as tags
from streaming.providers.reasoning_mark import REASONING_MARK, REASONING_SEPARATOR, TEXT_MARK

MAX_HELD_BLANKS = 1_000
"""Blanks that wait for what follows them, at the start of a reply and in its reasoning. Each piece
of text needs a look at all of them."""
MAX_LONE_TAGS = 20
"""Closing tags that a text may be about; each needs a look at all of the text before it."""
LONE = tags.compile_tags(tags.LONE_CLOSING_TAGS)
ANSWER_END = tags.compile_tags(tags.ANSWER_ENDS)

REPLIES_UNTIL_KNOWN = 2
"""So many replies in a row begin within a reasoning before a model is known for it."""

_lone_endings: dict[Hashable, int] = {}
"""How many of a model's last replies began within a reasoning, whose opening tag stands in the
prompt."""
_mixed_models: set[Hashable] = set()
"""Models that were known for it, and then wrote a reply without a reasoning."""


class TaggedReasoningSplitter:
    """The text of one reply, without the reasoning in it.

    A reasoning that begins the reply is recognised by its opening tag. Without one, the closing tag
    tells that all text was reasoning, also after an earlier reasoning; it is replaced by
    REASONING_MARK. After two such replies in a row, the next one of the same model (`model_key`) is
    taken as reasoning from its start. If it ends without a closing tag, it was no reasoning: all of
    it follows once more, and TEXT_MARK.

    Text is held back only while it may be a part of a tag.
    """

    def __init__(self, model_key: Hashable = None) -> None:
        self.is_in_text = False
        self._model_key = model_key
        self._held = ""
        self._closing = ""
        """The tag that ends the reasoning that is being read; empty for any."""
        self._is_in_reasoning = False
        self.is_assumed = False
        """The text is taken as reasoning, although nothing in this reply says so."""
        self._has_tag = False
        self._has_field = False
        """The server has a field for its reasoning, so a closing tag in the text proves less."""
        self._has_reasoning = False
        self._is_new_block = True
        self._has_lone_ending = False
        self._lone_tags = 0
        self._passed = io.StringIO()
        """Text that was passed on, for the look at a lone closing tag; in an assumed reasoning all
        of it."""

    def split_delta(self, delta: Delta) -> Sequence[Delta]:
        if delta.kind != "text":
            self._has_field = self._has_field or bool(delta.text)
            return (delta,)
        if self.is_in_text and not self._held and not self._may_hold_tag(delta.text):
            return (delta,)
        self._held += delta.text
        return self._read_held(is_end=False)

    def flush_held(self, *, is_whole: bool) -> Sequence[Delta]:
        """The text that is still held when the reply ends; `is_whole` unless it was cut. An assumed
        reasoning is text then: nobody knows whether it was one, and an answer must not be lost."""
        deltas = self._read_held(is_end=True)
        if is_whole and not self._has_lone_ending:
            _lone_endings.pop(self._model_key, None)
        if self.is_assumed:
            if is_whole:
                _mixed_models.add(self._model_key)
            if text := self._passed.getvalue():
                deltas.append(Delta(text + TEXT_MARK))
        return deltas

    def _may_hold_tag(self, text: str) -> bool:
        if any(first in text for first in tags.FIRST_CHARS):
            return True
        self._passed.write(text)
        return False

    def _read_held(self, *, is_end: bool) -> list[Delta]:
        deltas: list[Delta] = []
        while True:
            if self.is_in_text:
                is_decided = self._read_text(deltas, is_end)
            elif self._is_in_reasoning:
                is_decided = self._read_reasoning(deltas, is_end)
            else:
                is_decided = self._read_start(is_end)
            if not is_decided:
                return deltas

    # Each returns whether it has changed the state; the rest of what is held is then read anew.

    def _read_start(self, is_end: bool) -> bool:
        text = self._held.lstrip().lstrip(tags.INVISIBLE_CHARS).lstrip()
        if not text and not is_end and len(self._held) < MAX_HELD_BLANKS:
            return False
        tag, after = tags.split_leading_tag(text)
        is_undecided = len(after) < tags.MENTION_CHARS and "\n" not in after
        if not is_end and ((text and tags.may_lead(text)) or (tag and is_undecided)):
            return False
        if tag and not tags.is_mention(after):
            self._held, self._has_tag = after, True
            self._passed = io.StringIO()
            self._closing = dict(tags.TAGS).get(tag, "")
            self._is_in_reasoning = bool(self._closing)
            self._is_new_block = True
            return bool(after) or not is_end
        if self._is_assumed_from_start():
            self._is_in_reasoning = self.is_assumed = True
        else:
            self.is_in_text = True
            self._held = text if self._has_tag else self._held
        return bool(self._held)

    def _is_assumed_from_start(self) -> bool:
        is_known = _lone_endings.get(self._model_key, 0) >= REPLIES_UNTIL_KNOWN
        is_mixed = self._model_key in _mixed_models
        return is_known and not is_mixed and not self._has_tag and not self._has_field

    def _read_reasoning(self, deltas: list[Delta], is_end: bool) -> bool:
        held, closings = self._held, (self._closing,) if self._closing else tags.LONE_CLOSING_TAGS
        match = tags.compile_tags(closings).search(held)
        while match and held[match.start() - 1 : match.start()] == "`":
            if match.end() == len(held) and not is_end:
                break
            if held[match.end() : match.end() + 1] != "`":
                break
            match = tags.compile_tags(closings).search(held, match.end())
        if match and (match.end() < len(held) or is_end or held[match.start() - 1] != "`"):
            self._pass_on(deltas, held[: match.start()].rstrip(), "reasoning")
            self._held, self._is_in_reasoning = held[match.end() :], False
            self._has_lone_ending = self._has_lone_ending or self.is_assumed
            self._has_tag, self.is_assumed = True, False
            self._passed = io.StringIO()
            return True
        end = match.start() - 1 if match else len(held) - tags.measure_partial_tag(held, closings)
        trimmed = len(held[: max(end, 0)].rstrip(" \t\r\n`"))
        end = len(held) if is_end else max(trimmed, end - MAX_HELD_BLANKS)
        self._pass_on(deltas, held[:end], "reasoning")
        self._held = held[end:]
        return False

    def _read_text(self, deltas: list[Delta], is_end: bool) -> bool:
        if self._has_tag:
            self._held = ANSWER_END.sub("", self._held)
        if self._lone_tags > MAX_LONE_TAGS:
            return self._pass_text(deltas, tags.ANSWER_ENDS, is_end)
        match = LONE.search(self._held)
        if match is None:
            return self._pass_text(deltas, (*tags.LONE_CLOSING_TAGS, *tags.ANSWER_ENDS), is_end)
        text, after = self._held[: match.start()], self._held[match.end() :]
        blanks = " \t\r\n" if self._has_field and len(after) < MAX_HELD_BLANKS else " \t"
        if not after.strip(blanks) and not is_end:
            self._pass_on(deltas, text, "text")
            self._held = self._held[match.start() :]
            return False
        is_likely = not self._has_field or tags.is_line_before_text(after)
        if is_likely and tags.ends_reasoning(self._passed.getvalue() + text, match[0], after):
            self._pass_on(deltas, text, "text")
            self._mark_reasoning(deltas)
            self._held = after
        else:
            self._lone_tags += 1
            self._pass_on(deltas, text + match[0], "text")
            self._held = after
        return True

    def _mark_reasoning(self, deltas: list[Delta]) -> None:
        """All text so far was reasoning; the answer may begin now."""
        deltas.append(Delta(REASONING_MARK))
        if not self._has_tag and not self._has_field:
            self._has_lone_ending = True
            if self._model_key is not None:
                _lone_endings[self._model_key] = _lone_endings.get(self._model_key, 0) + 1
        self._has_tag, self.is_in_text = True, False
        self._passed = io.StringIO()

    def _pass_text(self, deltas: list[Delta], closings: tuple[str, ...], is_end: bool) -> bool:
        held = tags.measure_partial_tag(self._held, closings) if closings and not is_end else 0
        end = len(self._held) - held
        self._pass_on(deltas, self._held[:end], "text")
        self._held = self._held[end:]
        return False

    def _pass_on(self, deltas: list[Delta], text: str, kind: DeltaKind) -> None:
        if kind == "text" or self.is_assumed:
            self._passed.write(text)
        if kind == "reasoning" and self._is_new_block and (text := text.lstrip()):
            text = f"{REASONING_SEPARATOR}{text}" if self._has_reasoning else text
            self._is_new_block, self._has_reasoning = False, True
        if text:
            deltas.append(Delta(text, kind))


def remove_tagged_reasoning(text: str) -> str:
    """A whole text without the reasoning in it."""
    splitter = TaggedReasoningSplitter()
    deltas = (*splitter.split_delta(Delta(text)), *splitter.flush_held(is_whole=True))
    content = "".join(delta.text for delta in deltas if delta.kind == "text")
    return content.rpartition(REASONING_MARK)[2]
