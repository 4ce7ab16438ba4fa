"""Chat completions: each request has the whole history, and becomes a conversation of its own."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from accounts.models import User
from chat.api.idempotency import idempotent_request
from chat.doors.bodies import read_object
from chat.doors.gateway import ids
from chat.doors.gateway.chat_objects import ChatEncoder, build_completion, find_failure
from chat.doors.gateway.chat_request import read_chat_request
from chat.doors.gateway.errors import choose_view
from chat.doors.gateway.models import GatewayResponse
from chat.doors.gateway.output import load_output
from chat.doors.gateway.reading import mark_read
from chat.doors.gateway.starting import start_response
from chat.doors.gateway.views.responses import refuse
from streaming.doors.answers import AwaitedResponse, EncodedResponse
from streaming.models import Stream

RESPONSE_ID = "X-Holdfast-Response-Id"
"""The header with the id under which the run can be read as a response."""
SHOULD_RETRY = "X-Should-Retry"
"""Tells OpenAI's SDKs not to send the request again: the reply was tried, and perhaps paid."""


def create_completion(request: HttpRequest, user: User) -> HttpResponseBase:
    asked = read_chat_request(read_object(request))
    with idempotent_request(request, user) as once:
        row = start_response(user, asked.reply, once)
    if not asked.reply.stream:
        return AwaitedResponse(
            row.stream, user, lambda stream: answer(row, stream), refusal=refuse()
        )
    encoder = ChatEncoder(row, row.stream, includes_usage=asked.includes_usage)
    response = EncodedResponse(row.stream, user, encoder, refusal=refuse(), exact=True)
    response.headers[RESPONSE_ID] = build_response_id(row.stream)
    return response


def answer(row: GatewayResponse, stream: Stream) -> HttpResponse:
    mark_read(row.conversation_id)
    headers = {RESPONSE_ID: build_response_id(stream)}
    if failure := find_failure(stream):
        body, status = failure
        return JsonResponse(body, status=status, headers=headers | {SHOULD_RETRY: "false"})
    output = load_output(stream, row.answer_id)
    return JsonResponse(build_completion(row, stream, output), headers=headers)


def build_response_id(stream: Stream) -> str:
    return ids.build_id(ids.RESPONSE, stream.uuid)


completions = choose_view(post=create_completion)
