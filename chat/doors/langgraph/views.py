"""The routes of threads and runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt

from accounts.models import User
from accounts.tokens.models import Scope
from chat.api.auth import authenticate
from chat.api.idempotency import idempotent_request
from chat.api.problems import Problem
from chat.doors.bodies import build_unsupported, read_object
from chat.doors.errors import View, answer_errors, build_too_many
from chat.doors.langgraph import protocol
from chat.doors.langgraph.events import RunEncoder, ValuesEncoder
from chat.doors.langgraph.protocol import DOOR_NAME, RunRequest
from chat.doors.langgraph.rows import (
    build_run,
    build_thread,
    find_position,
    find_run,
    get_thread,
    load_facts,
    load_history,
)
from chat.doors.threads import ask, delete_oldest_unused
from chat.models import ClientThread
from chat.replies import Reply, count_rows
from streaming import lifecycle
from streaming.doors.answers import AwaitedResponse, EncodedResponse
from streaming.follow import START_CURSOR, read_page
from streaming.models import Stream


def build_error(problem: Problem) -> HttpResponse:
    """In the form of LangGraph's server, with our code."""
    body = {"code": problem.code, "detail": str(problem.detail)}
    return JsonResponse(body, status=problem.status, headers=problem.headers)


@csrf_exempt
def answer_missing(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
    """The rest of LangGraph's server: assistants, states, history, crons, the store."""
    text = _(
        "Holdfast has threads and runs with text. This part of LangGraph’s server is not here."
    )
    return build_error(Problem(404, "not_here", text))


def answer_only(method: str) -> Callable[[View], View]:
    """Decorate a view. Other methods of its address are parts of LangGraph's server, too."""

    def decorate(view: View) -> View:
        answer = answer_errors(build_error)(view)

        @csrf_exempt
        @wraps(view)
        def wrapper(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            return (answer if request.method == method else answer_missing)(request, **kwargs)

        return wrapper

    return decorate


@answer_only("POST")
def create_thread(request: HttpRequest) -> HttpResponseBase:
    user = authenticate(request, Scope.WRITE)
    id, may_exist = protocol.parse_thread(read_object(request))
    with transaction.atomic():
        thread, is_new = ClientThread.objects.get_or_create(
            user=user, door=DOOR_NAME, name=str(id or uuid4())
        )
        if is_new:
            count_rows(user, len(thread.name))
            delete_oldest_unused(user, DOOR_NAME)
    if not is_new:
        get_thread(user, UUID(thread.name))  # not one of a deleted chat
    if not is_new and not may_exist:
        raise Problem(409, "thread_exists", _("There is a thread with this id already."))
    return JsonResponse(build_thread(thread))


@answer_only("GET")
def read_thread(request: HttpRequest, id: UUID) -> HttpResponseBase:
    return JsonResponse(build_thread(get_thread(authenticate(request, Scope.READ), id)))


# Runs that begin


@answer_only("POST")
def create_run(request: HttpRequest, id: UUID) -> HttpResponseBase:
    """Answer at once; the run goes on."""
    user = authenticate(request, Scope.WRITE)
    reply = _start(request, user, id, protocol.parse_run(read_object(request)))
    response = JsonResponse(build_run(id, reply.stream))
    response["Content-Location"] = f"/threads/{id}/runs/{reply.stream.uuid}"
    return response


@answer_only("POST")
def stream_new_run(request: HttpRequest, id: UUID) -> HttpResponseBase:
    user = authenticate(request, Scope.WRITE)
    asked = protocol.parse_run(read_object(request))
    reply = _start(request, user, id, asked)
    return _follow(user, id, reply.stream, asked.modes)


@answer_only("POST")
def await_new_run(request: HttpRequest, id: UUID) -> HttpResponseBase:
    user = authenticate(request, Scope.WRITE)
    reply = _start(request, user, id, protocol.parse_run(read_object(request)))
    return _await(user, id, reply.stream)


def _start(request: HttpRequest, user: User, thread_id: UUID, asked: RunRequest) -> Reply:
    """The same request with the same `Idempotency-Key` is one run."""
    with idempotent_request(request, user) as once:
        if not asked.creates_thread:
            get_thread(user, thread_id)
        position = None if once.is_repeated else find_position(user, thread_id, asked.earlier)
        return ask(user, DOOR_NAME, str(thread_id), asked.question, once.id, position)


# Runs that are there


@answer_only("GET")
def read_run(request: HttpRequest, thread: UUID, id: UUID) -> HttpResponseBase:
    user = authenticate(request, Scope.READ)
    return JsonResponse(build_run(thread, find_run(user, thread, id)))


@answer_only("GET")
def stream_run(request: HttpRequest, thread: UUID, id: UUID) -> HttpResponseBase:
    """From the start, or after the `Last-Event-ID`."""
    user = authenticate(request, Scope.READ)
    _refuse_cancelling(request)
    # The SDK for Python sends an empty mode if it was given none.
    given = [mode for mode in request.GET.getlist("stream_mode") if mode]
    modes = protocol.parse_modes(given or [protocol.DEFAULT_MODE])
    stream = find_run(user, thread, id)
    after = protocol.parse_last_event_id(request.headers.get("Last-Event-ID", ""), stream)
    if _is_inside_folded(stream, after) and read_page(stream, after)[1]:
        text = _("The pieces of this run are not kept any more. Read it from its start.")
        raise Problem(410, "folded", text)
    return _follow(user, thread, stream, modes, after)


@answer_only("GET")
def join_run(request: HttpRequest, thread: UUID, id: UUID) -> HttpResponseBase:
    """Answer with the state of the thread when the run is over."""
    user = authenticate(request, Scope.READ)
    _refuse_cancelling(request)
    return _await(user, thread, find_run(user, thread, id))


@answer_only("POST")
def cancel_run(request: HttpRequest, thread: UUID, id: UUID) -> HttpResponseBase:
    """Stop the run, and keep its text. Once more has no effect."""
    user = authenticate(request, Scope.WRITE)
    if request.GET.get("action", "interrupt") != "interrupt":
        raise build_unsupported("action")
    stream = find_run(user, thread, id)
    lifecycle.stop(stream.pk)
    if request.GET.get("wait") in ("1", "true"):
        return AwaitedResponse(stream, user, _build_done, refusal=build_error(build_too_many()))
    return JsonResponse({}, status=202)


def _build_done(stream: Stream) -> HttpResponse:
    return JsonResponse({})


def _refuse_cancelling(request: HttpRequest) -> None:
    """A lost connection never stops a run."""
    if request.GET.get("cancel_on_disconnect", "0").lower() not in ("0", "false"):
        raise build_unsupported("cancel_on_disconnect")


def _follow(
    user: User, thread_id: UUID, stream: Stream, modes: Sequence[str], after: int = START_CURSOR
) -> HttpResponseBase:
    facts = load_facts(thread_id, stream)
    load = partial(load_history, facts.answer_id)
    is_first = "values" in modes and after == START_CURSOR
    encoder = RunEncoder(facts, modes, after, load() if is_first else (), load)
    refusal = build_error(build_too_many())
    response = EncodedResponse(stream, user, encoder, refusal=refusal, after=after, exact=True)
    response["Location"] = protocol.build_location(thread_id, stream.uuid, modes)
    response["Content-Location"] = f"/threads/{thread_id}/runs/{stream.uuid}"
    return response


def _is_inside_folded(stream: Stream, after: int) -> bool:
    """Whether a client has a part of a folded run."""
    return stream.folded_at is not None and START_CURSOR < after < stream.next_index - 1


def _await(user: User, thread_id: UUID, stream: Stream) -> HttpResponseBase:
    facts = load_facts(thread_id, stream)
    encoder = ValuesEncoder(facts, partial(load_history, facts.answer_id))
    response = EncodedResponse(stream, user, encoder, refusal=build_error(build_too_many()))
    path = f"/threads/{thread_id}/runs/{stream.uuid}"
    response["Content-Type"] = "application/json"
    response["Location"] = f"{path}/join"
    response["Content-Location"] = path
    return response
