"""A request for a response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from chat.doors.gateway.errors import build_invalid, build_missing
from chat.doors.gateway.message_input import MAX_ID_CHARS, MessageInput, read_input
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
from chat.doors.gateway.tool_input import build_tools, read_choice, read_response_tools
from chat.replies.settings import MAX_SYSTEM_PROMPT_CHARS
from streaming.providers.catalog.naming import MAX_FORM_VALUE_CHARS
from streaming.providers.tools import Tools

MAX_TOKENS = 10_000_000
MAX_EFFORT_CHARS = 20
MAX_KEY_CHARS = 512
ENCRYPTED_REASONING = "reasoning.encrypted_content"
"""Some clients ask every reasoning model for it, to send it back. It would have no effect: what a
call needs is kept here, and no model is sent the reasoning of earlier replies."""
VERBOSITIES = ("low", "medium", "high")


def _read_conversation(name: str, value: Any) -> str:
    """An id, or an object with one."""
    if isinstance(value, dict):
        value = mapping(id=text(MAX_ID_CHARS))(name, value).get("id")
    return str(text(MAX_ID_CHARS)(name, value))


CHECKS: Mapping[str, Check] = {
    "model": text(MAX_FORM_VALUE_CHARS),
    "input": read_input,
    "instructions": text(MAX_SYSTEM_PROMPT_CHARS),
    "stream": boolean,
    "background": boolean,
    "store": boolean,
    "previous_response_id": text(MAX_ID_CHARS),
    "conversation": _read_conversation,
    "max_output_tokens": integer(1, MAX_TOKENS),
    "temperature": number(0, 2),
    "reasoning": mapping(
        effort=text(MAX_EFFORT_CHARS),
        summary=only("auto"),
        context=only("auto", "current_turn", "all_turns"),  # without an effect here
        mode=only("standard"),
        generate_summary=unsupported,  # the older name of `summary`
    ),
    "metadata": metadata,
    "text": mapping(format=plain_text_format, verbosity=choice(*VERBOSITIES)),
    "tools": read_response_tools,
    "tool_choice": read_choice,
    "parallel_tool_calls": boolean,
    # Only with the values that they have anyway
    "top_p": number_that_is(1),
    "presence_penalty": number_that_is(0),
    "frequency_penalty": number_that_is(0),
    "top_logprobs": number_that_is(0),
    "truncation": only("disabled"),
    "service_tier": only("auto", "default"),
    "stream_options": mapping(include_obfuscation=only(False)),
    # Without an effect here
    "include": only([], [ENCRYPTED_REASONING]),
    "max_tool_calls": integer(1, MAX_TOKENS),
    "user": text(MAX_KEY_CHARS),
    "safety_identifier": text(MAX_KEY_CHARS),
    "prompt_cache_key": text(MAX_KEY_CHARS),
    # Of OpenAI's API, and not here
    **dict.fromkeys(
        (
            "access_programs",
            "background_options",
            "context_management",
            "image",
            "moderation",
            "prompt",
            "prompt_cache_options",
            "prompt_cache_retention",
        ),
        unsupported,
    ),
}

ECHOED = (
    "model",
    "instructions",
    "metadata",
    "tool_choice",
    "parallel_tool_calls",
    "max_tool_calls",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "background",
    "store",
    "previous_response_id",
    "conversation",
    "reasoning",
)
"""Parameters that the row keeps for the object of the response."""


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """A reply that either API asks for. `settings` has values of settings by their names in
    chat/replies, and `names` the names that the API has for them and for the input. The one value
    that `top_p` may have is not kept."""

    model: str
    input: MessageInput
    settings: Mapping[str, Any]
    names: Mapping[str, str]
    parameters: Mapping[str, Any]
    instructions: str = ""
    has_top_p: bool = False
    verbosity: str = ""
    stream: bool = False
    background: bool = False
    store: bool = True
    previous_response_id: str = ""
    conversation: str = ""
    tools: Tools | None = None


NAMES = {
    "model": "model",
    "input": "input",
    "system_prompt": "instructions",
    "max_tokens": "max_output_tokens",
    "temperature": "temperature",
    "reasoning_effort": "reasoning.effort",
    "verbosity": "text.verbosity",
}


def read_response_request(body: Mapping[str, Any]) -> ReplyRequest:
    """Raises Problem."""
    given = read_parameters(body, CHECKS)
    for name in ("model", "input"):
        require(given, name)
    request = ReplyRequest(
        model=given["model"],
        input=given["input"],
        settings=_read_settings(given),
        names=NAMES,
        parameters=_choose_shown(given),
        has_top_p="top_p" in given,
        instructions=given.get("instructions", ""),
        verbosity=given.get("text", {}).get("verbosity", ""),
        stream=given.get("stream", False),
        background=given.get("background", False),
        store=given.get("store", True),
        previous_response_id=given.get("previous_response_id", ""),
        conversation=given.get("conversation", ""),
        tools=build_tools(given),
    )
    _check_combinations(request)
    return request


def require(given: Mapping[str, Any], name: str) -> None:
    if name not in given:
        raise build_missing(name)


def _choose_shown(given: Mapping[str, Any]) -> dict[str, Any]:
    """A context of reasoning is shown where it has an effect, so it is left out."""
    shown = {name: given[name] for name in ECHOED if name in given}
    if "reasoning" in shown:
        shown["reasoning"] = {n: v for n, v in shown["reasoning"].items() if n != "context"}
    return shown


def _read_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    values = {
        "max_tokens": given.get("max_output_tokens"),
        "temperature": given.get("temperature"),
        "reasoning_effort": given.get("reasoning", {}).get("effort"),
    }
    return {name: value for name, value in values.items() if value is not None}


def _check_combinations(request: ReplyRequest) -> None:
    if request.previous_response_id and request.conversation:
        sentence = _("Send either “previous_response_id” or “conversation”.")
        raise build_invalid("conversation", sentence)
    if request.background and not request.store:
        raise build_invalid("background", _("A background response must be stored."))
    if request.conversation and not request.store:
        raise build_invalid("store", _("A response in a conversation is always stored."))
