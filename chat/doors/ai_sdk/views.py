"""The addresses of this door: send a message, resume its answer, stop it, read the messages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from accounts.tokens.models import Scope
from chat.api.auth import authenticate
from chat.doors.ai_sdk.errors import answer_errors
from chat.doors.ai_sdk.history import build_messages
from chat.doors.ai_sdk.requests import parse_position, parse_request
from chat.doors.ai_sdk.resuming import build_response, has_read_all
from chat.doors.ai_sdk.threads import (
    find_answer,
    find_conversation,
    list_running_streams,
    start_reply,
)
from streaming import lifecycle


@csrf_exempt
@require_POST
@answer_errors
def send_message(request: HttpRequest) -> HttpResponseBase:
    """Ask, ask again or edit, and stream the answer from its start."""
    user = authenticate(request, Scope.WRITE)
    reply = start_reply(user, parse_request(request.body))
    return build_response(user, reply.answer, reply.answer.stream or reply.stream)


@csrf_exempt
@require_GET
@answer_errors
def resume_stream(request: HttpRequest, name: str) -> HttpResponseBase:
    """Nothing to resume is 204: stock clients take 404 for a failure."""
    user = authenticate(request, Scope.READ)
    cursor = parse_position(request.GET.get("after"), request.headers.get("Last-Event-ID", ""))
    answer = find_answer(user, name, cursor)
    if answer is None or answer.stream is None or has_read_all(answer.stream, cursor):
        return HttpResponse(status=204)
    return build_response(user, answer, answer.stream, cursor)


@csrf_exempt
@require_POST
@answer_errors
def stop_stream(request: HttpRequest, name: str) -> HttpResponseBase:
    """Stop what the chat still writes, and keep its text."""
    user = authenticate(request, Scope.WRITE)
    for stream in list_running_streams(user, name):
        lifecycle.stop(stream.pk)
    return HttpResponse(status=204)


@csrf_exempt
@require_GET
@answer_errors
def list_messages(request: HttpRequest, name: str) -> HttpResponseBase:
    """The branch that is shown, for a client that begins with it; empty for a new chat."""
    user = authenticate(request, Scope.READ)
    return JsonResponse({"messages": build_messages(find_conversation(user, name))})
