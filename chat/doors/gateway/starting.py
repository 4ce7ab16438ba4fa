"""Starts the replies that programs ask for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.models import User
from chat.api.idempotency import RequestOnce, build_gone, build_key_reused
from chat.doors.gateway.errors import build_invalid, name_parameter
from chat.doors.gateway.message_input import join_texts
from chat.doors.gateway.models import GatewayResponse
from chat.doors.gateway.parameters import build_unsupported
from chat.doors.gateway.reading import DOOR_NAME, find_response, get_conversation
from chat.doors.gateway.references import resolve_references
from chat.doors.gateway.response_request import ReplyRequest
from chat.doors.gateway.tool_input import check_calls
from chat.models import Conversation, Message
from chat.replies import ReplyRejected, ReplySettings, answer_turns, find_reply
from chat.replies.handler import load_turns
from chat.replies.settings import MAX_SYSTEM_PROMPT_CHARS, SETTINGS, require_model
from chat.tool_parts.storage import NO_TOOLS, load_tools, restore_states
from streaming.models import State
from streaming.providers.tools import ToolCall
from streaming.providers.types import Turn

UNCUT_PROVIDERS = frozenset({"demo", "openai", "anthropic"})
"""Providers whose models have a `top_p` of 1 if none is sent. Google's have another, and so may any
compatible server."""

VERBOSE_MODELS = re.compile(r"gpt-([5-9]|\d\d)")
"""OpenAI's models that take a verbosity. The others have the usual one."""
USUAL_VERBOSITY = "medium"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reply belongs: in a new conversation, or in an existing one, below a message or at
    its end. `turns` go before those of the request, and `developer_text` is inherited."""

    conversation: Conversation | None = None
    parent: Message | None = None
    turns: tuple[Turn, ...] = ()
    developer_text: str = ""


def start_response(user: User, request: ReplyRequest, once: RequestOnce) -> GatewayResponse:
    """The row of the reply, or that of an earlier request with the same key. Raises Problem and
    DoesNotExist."""
    if once.is_repeated or find_reply(user, once.id):
        return _find_started(user, once.id)
    try:
        return _start_response(user, request, once)
    except ReplyRejected as error:
        raise name_parameter(error, request.names) from error


def _find_started(user: User, request_id: UUID) -> GatewayResponse:
    """The row of an earlier request, also when that of its key was deleted for its age. Raises
    Problem."""
    rows = GatewayResponse.objects.select_related("conversation", "stream")
    row = rows.filter(user=user, stream__request_id=request_id).first()
    if row is None:
        raise build_key_reused()  # for the reply of another door
    if row.conversation.deleted_at is not None:
        raise build_gone()
    return row


def _start_response(user: User, request: ReplyRequest, once: RequestOnce) -> GatewayResponse:
    place = _find_place(user, request)
    developer = join_texts(place.developer_text, *request.input.developer)
    system = join_texts(request.instructions, developer)
    turns = resolve_references(user, request.input.turns)
    check_calls(request.names["input"], _find_open_calls(place), turns)
    turns = restore_states(user, [*place.turns, *turns])
    reply = answer_turns(
        user,
        turns=turns,
        request_id=once.id,
        reply_settings=_choose_settings(user, request, system),
        door=DOOR_NAME,
        conversation=place.conversation,
        parent_id=place.parent.pk if place.parent else None,
        is_temporary=not request.store,
        other_chars=len(json.dumps(dict(request.parameters))) + len(developer),
        tools=request.tools,
        verbosity="" if request.verbosity == USUAL_VERBOSITY else request.verbosity,
    )
    return GatewayResponse.objects.create(
        stream=reply.stream,
        user=user,
        conversation=reply.conversation,
        answer=reply.answer,
        parameters=dict(request.parameters),
        developer_text=developer,
        input_count=len(turns),
    )


def _find_place(user: User, request: ReplyRequest) -> Place:
    if request.previous_response_id:
        return _find_branch(user, request)
    if request.conversation:
        conversation = get_conversation(user, request.conversation, "conversation")
        newest = conversation.gateway_responses.order_by("-stream").first()
        return Place(conversation, developer_text=newest.developer_text if newest else "")
    return Place()


def _find_branch(user: User, request: ReplyRequest) -> Place:
    previous = find_response(user, request.previous_response_id)
    if previous is None or previous.conversation.expires_at is not None:
        text = _("Previous response with id “%(id)s” not found.")
        values = {"id": request.previous_response_id}
        raise build_invalid("previous_response_id", text % values, "previous_response_not_found")
    if request.store:
        return Place(previous.conversation, previous.answer, developer_text=previous.developer_text)
    # One that is not stored is deleted with its conversation, so it gets a copy of this one.
    if not State(previous.stream.state).has_ended:
        text = _("The previous response has not ended yet. Wait for it, or store this one.")
        raise build_invalid("previous_response_id", text)
    turns = load_turns(previous.conversation, previous.answer_id)
    return Place(turns=tuple(turns), developer_text=previous.developer_text)


def _find_open_calls(place: Place) -> tuple[ToolCall, ...]:
    """The calls of the answer that the request follows. A running one has none yet."""
    if place.turns:
        return place.turns[-1].calls
    into = place.conversation
    last_id = place.parent.pk if place.parent else into.current_leaf_id if into else None
    return load_tools([last_id]).get(last_id, NO_TOOLS).calls if last_id else ()


def _choose_settings(user: User, request: ReplyRequest, system: str) -> ReplySettings:
    """Raises Problem for a setting that the model does not take, and ReplyRejected."""
    if len(system) > MAX_SYSTEM_PROMPT_CHARS:
        text = _("The instructions are too long: at most %(count)s characters.")
        values = {"count": MAX_SYSTEM_PROMPT_CHARS}
        param = request.names["system_prompt"]
        raise build_invalid(param, text % values, "string_above_max_length")
    model = require_model(user, request.model)
    if request.has_top_p and model.provider not in UNCUT_PROVIDERS:
        raise build_unsupported("top_p")
    is_verbose = model.provider == "openai" and VERBOSE_MODELS.match(model.id)
    if request.verbosity not in ("", USUAL_VERBOSITY) and not is_verbose:
        raise build_unsupported(request.names["verbosity"])
    chosen: dict[str, Any] = {}
    for name, value in request.settings.items():
        if SETTINGS[name].accepts(value, model):
            chosen[name] = value
        elif (name, value) != ("temperature", 1):  # the one that such models have anyway
            raise build_unsupported(request.names[name])
    return ReplySettings(model.id, provider=model.provider, system_prompt=system, **chosen)
