"""A request for a chat completion, which has the whole history each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from chat.doors.gateway.errors import build_invalid
from chat.doors.gateway.message_input import MessageInput, read_input, require_turns
from chat.doors.gateway.parameters import (
    Check,
    boolean,
    choice,
    integer,
    mapping,
    metadata,
    number,
    number_that_is,
    only,
    plain_text_format,
    read_parameters,
    text,
    unsupported,
)
from chat.doors.gateway.response_request import (
    MAX_EFFORT_CHARS,
    MAX_KEY_CHARS,
    MAX_TOKENS,
    VERBOSITIES,
    ReplyRequest,
    require,
)
from chat.doors.gateway.tool_input import build_tools, read_chat_tools, read_choice
from streaming.providers.catalog.naming import MAX_FORM_VALUE_CHARS


def _read_messages(name: str, value: Any) -> MessageInput:
    if isinstance(value, str):
        raise build_invalid(name, _("“%(name)s” must be a list.") % {"name": name})
    messages = read_input(name, value)
    return MessageInput(tuple(require_turns(messages.turns)), messages.developer)


CHECKS: Mapping[str, Check] = {
    "model": text(MAX_FORM_VALUE_CHARS),
    "messages": _read_messages,
    "stream": boolean,
    "stream_options": mapping(include_usage=boolean, include_obfuscation=only(False)),
    "store": boolean,
    "metadata": metadata,
    "temperature": number(0, 2),
    "max_tokens": integer(1, MAX_TOKENS),
    "max_completion_tokens": integer(1, MAX_TOKENS),
    "reasoning_effort": text(MAX_EFFORT_CHARS),
    "verbosity": choice(*VERBOSITIES),
    "tools": read_chat_tools,
    "tool_choice": read_choice,
    "parallel_tool_calls": boolean,
    # Only with the values that they have anyway
    "n": number_that_is(1),
    "reasoning": mapping(summary=only("auto")),  # as of responses; some clients send it here, too
    "top_p": number_that_is(1),
    "presence_penalty": number_that_is(0),
    "frequency_penalty": number_that_is(0),
    "logprobs": only(False),
    "top_logprobs": number_that_is(0),
    "logit_bias": only({}),
    "stop": only([]),
    "functions": only([]),
    "response_format": plain_text_format,
    "modalities": only(["text"]),
    "service_tier": only("auto", "default"),
    # Without an effect here
    "user": text(MAX_KEY_CHARS),
    "safety_identifier": text(MAX_KEY_CHARS),
    "prompt_cache_key": text(MAX_KEY_CHARS),
    # Of OpenAI's API, and not here
    **dict.fromkeys(
        (
            "audio",
            "function_call",
            "moderation",
            "prediction",
            "prompt_cache_options",
            "prompt_cache_retention",
            "seed",
            "web_search_options",
        ),
        unsupported,
    ),
}
KEPT = ("model", "metadata", "tool_choice", "parallel_tool_calls", "user", "safety_identifier")
"""Parameters that the row keeps, because the run can also be read as a response."""


@dataclass(frozen=True, slots=True)
class ChatCompletionRequest:
    reply: ReplyRequest
    includes_usage: bool


def read_chat_request(body: Mapping[str, Any]) -> ChatCompletionRequest:
    """Raises Problem."""
    given = read_parameters(body, CHECKS)
    for name in ("model", "messages"):
        require(given, name)
    limit = "max_completion_tokens" if "max_completion_tokens" in given else "max_tokens"
    if given.get("max_tokens", given.get(limit)) != given.get(limit):
        sentence = _("Send either “max_tokens” or “max_completion_tokens”.")
        raise build_invalid("max_tokens", sentence)
    fields = {
        "max_tokens": limit,
        "temperature": "temperature",
        "reasoning_effort": "reasoning_effort",
    }
    names = {
        "model": "model",
        "input": "messages",
        "system_prompt": "messages",
        "verbosity": "verbosity",
    }
    store = given.get("store", False)  # as at OpenAI, where only responses are stored by default
    reply = ReplyRequest(
        model=given["model"],
        input=given["messages"],
        settings={name: given[field] for name, field in fields.items() if field in given},
        verbosity=given.get("verbosity", ""),
        names=fields | names,
        parameters={name: given[name] for name in KEPT if name in given} | {"store": store},
        stream=given.get("stream", False),
        has_top_p="top_p" in given,
        store=store,
        tools=build_tools(given),
    )
    return ChatCompletionRequest(reply, given.get("stream_options", {}).get("include_usage", False))
