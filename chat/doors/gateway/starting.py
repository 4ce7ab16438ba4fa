"""Starts the replies that programs ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import User
from chat.api.idempotency import RequestOnce
from chat.doors.gateway import ids
from chat.doors.gateway.errors import build_invalid
from chat.doors.gateway.message_input import ItemReference, join_texts
from chat.doors.gateway.models import GatewayResponse
from chat.doors.gateway.parameters import build_unsupported
from chat.doors.gateway.reading import DOOR_NAME, find_response, get_conversation
from chat.doors.gateway.response_request import ReplyRequest
from chat.doors.gateway.tool_input import check_calls
from chat.models import Conversation, Message
from chat.replies import ReplySettings, answer_turns
from chat.replies.handler import load_turns, to_turn
from chat.replies.settings import MAX_SYSTEM_PROMPT_CHARS, SETTINGS, require_model
from chat.tool_parts.storage import NO_TOOLS, load_tools, restore_states
from streaming.models import State
from streaming.providers.tools import ToolCall
from streaming.providers.types import Turn


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reply belongs: in a new conversation, or in an existing one, below a message or at
    its end. `turns` go before those of the request, and `developer_text` is inherited."""

    conversation: Conversation | None = None
    parent: Message | None = None
    turns: tuple[Turn, ...] = ()
    developer_text: str = ""


def start_response(user: User, request: ReplyRequest, once: RequestOnce) -> GatewayResponse:
    """The row of the reply, or that of an earlier request with the same key. Raises Problem,
    ReplyRejected and DoesNotExist."""
    if once.is_repeated:
        return GatewayResponse.objects.owned_by(user).get(stream__request_id=once.id)
    place = _find_place(user, request)
    developer = join_texts(place.developer_text, *request.input.developer)
    system = join_texts(request.instructions, developer)
    turns = _resolve_references(user, request.input.turns)
    check_calls(_find_open_calls(place), turns)
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
        conversation = get_conversation(user, request.conversation)
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


def _resolve_references(user: User, turns: Sequence[Turn | ItemReference]) -> list[Turn]:
    """Each message that is referred to, once, with all of its parts. Raises Problem for the id of
    an item that the user has not."""
    wanted = {
        turn.id: ids.parse_item_id(turn.id) for turn in turns if isinstance(turn, ItemReference)
    }
    messages = Message.objects.owned_by(user).filter(
        pk__in=[id for id in wanted.values() if id], conversation__door=DOOR_NAME
    )
    messages = messages.annotate(has_reasoning=Q(reasoning__gt=""))
    found = {message.pk: message for message in messages}
    tools = load_tools(found)
    taken: set[UUID] = set()
    resolved: list[Turn] = []
    for turn in turns:
        if isinstance(turn, Turn):
            resolved.append(turn)
        elif not ids.parse_id(ids.REASONING, turn.id):  # reasoning is not sent again
            id = wanted[turn.id]
            message = found.get(id) if id else None
            if message is None:
                text = _("Item with id “%(id)s” not found.") % {"id": turn.id}
                raise build_invalid(turn.param, text, "not_found")
            if message.pk not in taken:
                taken.add(message.pk)
                resolved.append(to_turn(message, tools.get(message.pk, NO_TOOLS)))
    return resolved


def _choose_settings(user: User, request: ReplyRequest, system: str) -> ReplySettings:
    """Raises Problem for a setting that the model does not take, and ReplyRejected."""
    if len(system) > MAX_SYSTEM_PROMPT_CHARS:
        text = _("The instructions are too long: at most %(count)s characters.")
        values = {"count": MAX_SYSTEM_PROMPT_CHARS}
        raise build_invalid("instructions", text % values, "string_above_max_length")
    model = require_model(user, request.model)
    chosen: dict[str, Any] = _drop_usual_values(request.settings)
    for name, value in chosen.items():
        if not SETTINGS[name].accepts(value, model):
            raise build_unsupported(request.names[name])
    return ReplySettings(model.id, provider=model.provider, system_prompt=system, **chosen)


def _drop_usual_values(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A temperature of 1 is that of each model, also of those that take no other."""
    return {name: value for name, value in settings.items() if (name, value) != ("temperature", 1)}
