"""Create, read, follow, stop and delete responses."""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from accounts.models import User
from chat.api.idempotency import idempotent_request
from chat.doors.bodies import read_object
from chat.doors.errors import build_too_many
from chat.doors.gateway.errors import answer_problem, build_invalid, choose_view
from chat.doors.gateway.events import STEP, find_row
from chat.doors.gateway.models import GatewayResponse
from chat.doors.gateway.objects import build_response
from chat.doors.gateway.output import load_output
from chat.doors.gateway.parameters import build_unsupported, read_flag, read_query
from chat.doors.gateway.reading import get_response, mark_read
from chat.doors.gateway.removal import remove_response
from chat.doors.gateway.response_encoder import ResponseEncoder
from chat.doors.gateway.response_request import read_response_request
from chat.doors.gateway.starting import start_response
from streaming import lifecycle
from streaming.doors.answers import AwaitedResponse, EncodedResponse
from streaming.models import State, Stream

FROM_START = -1
SEQUENCE_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")


def create_response(request: HttpRequest, user: User) -> HttpResponseBase:
    asked = read_response_request(read_object(request))
    with idempotent_request(request, user) as once:
        row = start_response(user, asked, once)
    if asked.stream:
        return follow_response(row, FROM_START)
    if asked.background:
        return answer_now(row)
    return AwaitedResponse(row.stream, user, lambda stream: answer(row, stream), refusal=refuse())


def read_response(request: HttpRequest, user: User, id: str) -> HttpResponseBase:
    query = read_query(request.GET, "stream", "starting_after", "include_obfuscation")
    streams = read_flag("stream", query.get("stream", "false"))
    if read_flag("include_obfuscation", query.get("include_obfuscation", "false")):
        raise build_unsupported("include_obfuscation")
    row = get_response(user, id)
    if streams:
        return follow_response(row, _read_cursor(row, query.get("starting_after")))
    if "starting_after" in query:
        raise build_invalid("starting_after", _("“starting_after” needs “stream=true”."))
    return answer_now(row)


def cancel_response(request: HttpRequest, user: User, id: str) -> HttpResponse:
    """A response that is over stays as it is."""
    row = get_response(user, id)
    lifecycle.stop(row.stream_id)
    return answer_now(row)


def delete_response(request: HttpRequest, user: User, id: str) -> HttpResponse:
    remove_response(get_response(user, id))
    return JsonResponse({"id": id, "object": "response", "deleted": True})


def follow_response(row: GatewayResponse, after: int) -> EncodedResponse:
    """The events after a sequence number. An interrupted body of a background response ends
    properly, because then some clients come back by themselves; any other one breaks."""
    return EncodedResponse(
        row.stream,
        row.user,
        ResponseEncoder(row, row.stream, after),
        refusal=refuse(),
        ends_cleanly=bool(row.parameters.get("background")),
        exact=True,
    )


def answer_now(row: GatewayResponse) -> HttpResponse:
    row.stream.refresh_from_db()
    return answer(row, row.stream)


def answer(row: GatewayResponse, stream: Stream) -> HttpResponse:
    if State(stream.state).has_ended:
        mark_read(row.conversation_id)
    return JsonResponse(build_response(row, stream, load_output(stream, row.answer_id)))


def refuse() -> HttpResponse:
    """For a user with too many open connections."""
    return answer_problem(build_too_many())


def _read_cursor(row: GatewayResponse, text: str | None) -> int:
    """Raises Problem for a number that no event of the response has yet."""
    if text is None:
        return FROM_START
    if not SEQUENCE_NUMBER.fullmatch(text):
        raise build_invalid("starting_after", _("“starting_after” must be a whole number."))
    number = int(text)
    if find_row(number) >= row.stream.next_index:
        sentence = _("The response has no event with the number of “starting_after” yet.")
        raise build_invalid("starting_after", sentence)
    is_within = number >= STEP and row.stream.folded_at is not None
    if is_within and not load_output(row.stream, row.answer_id).is_exact:
        sentence = _("The response can only be read from its start. Leave out “starting_after”.")
        raise build_invalid("starting_after", sentence)
    return number


responses = choose_view(post=create_response)
response = choose_view(get=read_response, delete=delete_response)
cancellation = choose_view(post=cancel_response)
