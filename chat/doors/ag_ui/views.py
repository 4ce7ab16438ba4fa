"""The one route: start a run, or come back to it."""

from __future__ import annotations

from uuid import UUID, uuid5

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.tokens.models import Scope
from chat.api.auth import authenticate
from chat.api.outputs import build_message_page
from chat.api.problems import Problem, build_not_found
from chat.api.schemas import MessageOut
from chat.doors.ag_ui.events import AgentRun, AgentRunEncoder, Json, build_messages
from chat.doors.ag_ui.protocol import (
    DOOR_NAME,
    AgentInput,
    parse_input,
    require_new_question,
)
from chat.doors.bodies import read_object
from chat.doors.errors import answer_errors, build_too_many
from chat.doors.threads import (
    Question,
    ask,
    build_reused,
    find_thread,
    require_known_answers,
)
from chat.models import ClientThread, Message
from chat.replies import Reply, ReplySettings, find_reply, load_text
from streaming import lifecycle
from streaming.doors.answers import EncodedResponse
from streaming.events import StreamText
from streaming.follow import MAX_SNAPSHOT_CHARS, START_CURSOR, read_beginning
from streaming.models import State, Stream

NAMESPACE = UUID("0d9b8b0e-3f0c-4a52-9d0e-8a4f7f1c2b6a")
MAX_MESSAGES = 1_000
"""Messages in a snapshot, the newest ones; a million characters at most."""


def build_error(problem: Problem) -> HttpResponse:
    """The stock client shows the body to its caller."""
    body = {"code": problem.code, "message": str(problem.detail)}
    return JsonResponse(body, status=problem.status, headers=problem.headers)


@csrf_exempt
@require_http_methods(["POST"])
@answer_errors(build_error)
def run_agent(request: HttpRequest) -> HttpResponseBase:
    user = authenticate(request, Scope.WRITE)
    body = read_object(request)
    asked = parse_input(body)
    request_id = uuid5(NAMESPACE, f"{user.pk} {asked.run_id}")
    if found := _find_run(user, asked, request_id):
        if asked.stops:
            lifecycle.stop(found[1].pk)
            found[1].refresh_from_db()
        return _attach(user, asked, *found)
    if asked.stops:
        raise build_not_found()
    question = require_new_question(body, asked)
    thread = find_thread(user, DOOR_NAME, asked.thread_id)
    require_known_answers(thread.conversation if thread else None, asked.answer_ids)
    with transaction.atomic():
        reply = ask(user, DOOR_NAME, asked.thread_id, question, request_id)
        _require_same(question, reply)  # of two such requests at once the other one may be faster
    return _follow(user, _describe(asked, reply.answer, reply.stream), reply.stream)


def _find_run(user: User, asked: AgentInput, request_id: UUID) -> tuple[Message, Stream] | None:
    """The answer of a run that is there. A client that names no run and asks nothing gets the last
    one of its thread. Raises Problem."""
    if reply := find_reply(user, request_id):
        _check_repetition(user, asked, reply)
        return reply.answer, reply.stream
    if Stream.objects.owned_by(user).filter(request_id=request_id).exists():
        raise _build_gone()
    if asked.has_message:
        return None
    thread = find_thread(user, DOOR_NAME, asked.thread_id)
    if thread is None or thread.conversation is None:
        raise build_not_found()
    leaf = thread.conversation.current_leaf
    if leaf is None or leaf.stream is None:
        raise build_not_found()
    return leaf, leaf.stream


def _check_repetition(user: User, asked: AgentInput, reply: Reply) -> None:
    """Earlier messages may differ: a client comes back with a part of the answer, or with no
    message at all."""
    if reply.conversation.deleted_at is not None:
        raise _build_gone()
    threads = ClientThread.objects.filter(user=user, door=DOOR_NAME, name=asked.thread_id)
    if not threads.filter(conversation=reply.conversation).exists():
        raise build_reused()
    _require_same(asked.question, reply)


def _require_same(question: Question, reply: Reply) -> None:
    """A part that a request leaves out is the same. Raises Problem."""
    if question.text and question.text != reply.question.content:
        raise build_reused()
    used = ReplySettings.from_json(reply.stream.arguments)
    names = (used.model, f"{used.provider}/{used.model}", f"{used.provider}:{used.model}")
    if question.model and question.model not in names:
        raise build_reused()
    if question.system_prompt and question.system_prompt != used.system_prompt:
        raise build_reused()


def _build_gone() -> Problem:
    return Problem(410, "gone", _("The chat that this request wrote to was deleted since."))


def _attach(user: User, asked: AgentInput, answer: Message, stream: Stream) -> HttpResponseBase:
    """Begin with a snapshot of all messages, with the text so far. Of a long text it has the
    beginning, because it is kept until the client has read it; the rest follows."""
    had = _load_text(stream) if State(stream.state).has_ended else None
    if had is None or max(len(had.content), len(had.reasoning)) > MAX_SNAPSHOT_CHARS:
        had = read_beginning(stream)
    run = _describe(asked, answer, stream, had)
    return _follow(user, run, stream, had.next_index - 1)


def _describe(
    asked: AgentInput, answer: Message, stream: Stream, had: StreamText | None = None
) -> AgentRun:
    history = None if had is None else _load_history(answer)
    return AgentRun(
        asked.thread_id,
        asked.run_id,
        stream.uuid,
        answer.conversation_id,
        answer.pk,
        answer.model,
        answer.provider,
        history,
        had or StreamText(),
        State(stream.state).has_ended and had is not None and had.next_index == stream.next_index,
    )


def _follow(
    user: User, run: AgentRun, stream: Stream, after: int = START_CURSOR
) -> HttpResponseBase:
    answer_id = run.answer_id  # without the messages of the run, which are sent once

    def load_messages(ended: Stream) -> list[Json]:
        answer = Message.objects.select_related("conversation").get(pk=answer_id)
        return build_messages(answer_id, _load_history(answer), _load_text(ended))

    encoder = AgentRunEncoder(run, load_messages)
    refusal = build_error(build_too_many())
    return EncodedResponse(stream, user, encoder, refusal=refusal, after=after)


def _load_history(answer: Message) -> list[MessageOut]:
    """The messages before an answer."""
    return build_message_page(answer.conversation, answer.pk, MAX_MESSAGES).messages


def _load_text(stream: Stream) -> StreamText:
    return load_text(stream) or StreamText()
