"""The items of a conversation, and those that a response was made from."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from accounts.models import User
from chat.api.idempotency import build_key_reused, idempotent_request
from chat.api.problems import Problem
from chat.doors.bodies import read_object
from chat.doors.gateway import ids
from chat.doors.gateway.conversation_request import MAX_ITEMS, read_conversation_request
from chat.doors.gateway.errors import build_invalid, choose_view
from chat.doors.gateway.items import (
    LIST_PARAMETERS,
    build_conversation_page,
    build_input_page,
    build_list,
    list_items,
)
from chat.doors.gateway.parameters import read_query
from chat.doors.gateway.reading import get_conversation, get_response
from chat.doors.gateway.removal import remove_message
from chat.doors.gateway.response_request import require
from chat.doors.gateway.views.conversations import answer
from chat.models import Conversation, Message
from chat.replies import add_turns
from chat.tool_parts.storage import NO_TOOLS, MessageTools, load_tools
from streaming.providers.types import Turn


def list_input(request: HttpRequest, user: User, id: str) -> HttpResponse:
    row = get_response(user, id)
    query = read_query(request.GET, *LIST_PARAMETERS)
    return JsonResponse(build_input_page(row, query))


def list_of_conversation(request: HttpRequest, user: User, id: str) -> HttpResponse:
    conversation = get_conversation(user, id)
    query = read_query(request.GET, *LIST_PARAMETERS)
    return JsonResponse(build_conversation_page(conversation, query))


def create_items(request: HttpRequest, user: User, id: str) -> HttpResponse:
    """The ids of the messages follow from the key of the request, also when the row of that was
    deleted for its age."""
    conversation = get_conversation(user, id)
    given = read_conversation_request(read_object(request), "items")
    require(given, "items")
    turns: list[Turn] = given["items"]

    def has_messages(user: User, request_id: UUID) -> bool:
        return len(_find_messages(request_id)) == len(turns)

    with idempotent_request(request, user, has_effect=has_messages) as once:
        messages = _find_messages(once.id)
        is_other = not once.is_repeated and not _have_turns(conversation, messages, turns)
        if messages and is_other:
            raise build_key_reused()
        messages = messages or add_turns(
            user, conversation, turns, ids=_choose_ids(once.id, len(turns))
        )
    return JsonResponse(build_list(list_items(messages)))


def _find_messages(request_id: UUID) -> list[Message]:
    """Those that a request with this id has made, in any conversation."""
    ids = _choose_ids(request_id, MAX_ITEMS)
    found = Message.objects.select_related("stream").in_bulk(ids)
    return [found[id] for id in ids if id in found]


def _have_turns(
    conversation: Conversation, messages: Sequence[Message], turns: Sequence[Turn]
) -> bool:
    """Whether these are the messages that a request with these turns makes here."""
    tools = load_tools([message.pk for message in messages])
    made = [
        (one.conversation_id, one.role, one.content, tools.get(one.pk, NO_TOOLS))
        for one in messages
    ]
    return made == [
        (conversation.pk, turn.role, turn.text, MessageTools(turn.calls, turn.outputs))
        for turn in turns
    ]


def _choose_ids(request_id: UUID, count: int) -> list[UUID]:
    return [uuid5(request_id, f"item {number}") for number in range(count)]


def read_item(request: HttpRequest, user: User, id: str, item_id: str) -> HttpResponse:
    read_query(request.GET)
    message = _get_message(get_conversation(user, id), item_id)
    return JsonResponse(next(one for one in list_items([message]) if one["id"] == item_id))


def delete_item(request: HttpRequest, user: User, id: str, item_id: str) -> HttpResponse:
    """The item with the text stands for its message, or the first item of one that has no text. An
    answer is deleted with its response, and with its reasoning and tool calls."""
    conversation = get_conversation(user, id)
    message = _get_message(conversation, item_id)
    item_ids = [one["id"] for one in list_items([message])]
    deleted_by = next((one for one in item_ids if one.startswith(ids.MESSAGE)), item_ids[0])
    if item_id != deleted_by:
        sentence = _("This item is only deleted with its message. Delete the item “%(id)s”.")
        raise build_invalid("item_id", sentence % {"id": deleted_by})
    remove_message(conversation, message)
    return answer(conversation)


def _get_message(conversation: Conversation, item_id: str) -> Message:
    """Raises Problem."""
    uuid = ids.parse_item_id(item_id)
    message = uuid and conversation.messages.select_related("stream").filter(pk=uuid).first()
    if message and any(one["id"] == item_id for one in list_items([message])):
        return message
    text = _("Item with id “%(id)s” not found.") % {"id": item_id[:100]}
    raise Problem(404, "not_found", text)


input_items = choose_view(get=list_input)
items = choose_view(get=list_of_conversation, post=create_items)
item = choose_view(get=read_item, delete=delete_item)
