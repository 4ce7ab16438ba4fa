"""The errors of replies that the provider completed, but that answer nothing."""

from __future__ import annotations

from streaming.events import Finish, SourceError
from streaming.sentences import gettext_noop

NO_TEXT = gettext_noop("Nothing came back. The prompt may be too long for the model as loaded.")
ONLY_REASONING = gettext_noop("Only thoughts, no answer.")
ONLY_REASONING_FOR_LENGTH = gettext_noop(
    "Only thoughts, no answer. They took all the tokens that the reply may have."
)
ONLY_TOOL_CALL = gettext_noop("The model wanted to call a tool, and gave no answer.")

ENDED_BY_RULES = {"refusal", "content_filter"}
"""Replies that end so say why they have no text."""


def build_missing_answer_error(finish: Finish, *, has_reasoning: bool) -> SourceError | None:
    """The error of a reply without any text; None if its reason explains that."""
    if finish.reason in ENDED_BY_RULES:
        return None
    if finish.reason == "tool_calls":
        code, message = "only_tool_call", ONLY_TOOL_CALL
    elif not has_reasoning:
        code, message = "empty_reply", NO_TEXT
    elif finish.reason == "length":
        code, message = "only_reasoning", ONLY_REASONING_FOR_LENGTH
    else:
        code, message = "only_reasoning", ONLY_REASONING
    detail = finish.detail or finish.reason
    return SourceError(code, message, detail, usage=finish.usage, upstream_id=finish.upstream_id)


def build_empty_reply_error() -> SourceError:
    """The error of a body that ends without a reply in it, and without a reason."""
    return SourceError("empty_reply", NO_TEXT)
