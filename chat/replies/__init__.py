"""Replies: start one, regenerate one, continue one; and the functions that the engine calls."""

from chat.replies.continuation import can_continue, continue_reply
from chat.replies.creation import (
    PagePosition,
    Reply,
    edit_question,
    find_reply,
    regenerate_answer,
    start_reply,
)
from chat.replies.errors import CONVERSATION_MOVED, ReplyRejected
from chat.replies.handler import SOURCE, finalize, load_text, prepare, register_handler
from chat.replies.programs import add_turns, answer_turns, count_rows
from chat.replies.settings import ReplySettings

__all__ = [
    "CONVERSATION_MOVED",
    "SOURCE",
    "PagePosition",
    "Reply",
    "ReplyRejected",
    "ReplySettings",
    "add_turns",
    "answer_turns",
    "can_continue",
    "continue_reply",
    "count_rows",
    "edit_question",
    "finalize",
    "find_reply",
    "load_text",
    "prepare",
    "regenerate_answer",
    "register_handler",
    "start_reply",
]
