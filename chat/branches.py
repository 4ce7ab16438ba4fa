"""The verbs of the tree: a question in other words, a reply once more, a reply that goes on. Each
makes something beside or after what is there; nothing is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.models import User
from chat import access, replies
from chat.articles import address, article
from chat.forms import AgainForm, EditForm
from chat.models import Message
from chat.pages import (
    UserRequest,
    draft,
    drop_draft,
    fragment,
    keep_draft_and_sign_in,
    page,
    posted_from,
    refuse,
    sign_in,
    visitor,
)
from chat.replies import Reply, ReplyRejected, settings_of


@require_safe
def place(request: UserRequest, id: UUID) -> HttpResponse:
    """Lead to where a message stands."""
    user = visitor(request)
    if user is None:
        return sign_in(request, request.path)
    message = access.message_or_404(user, id)
    return redirect(address(message.conversation_id, message.pk))


@require_safe
def edit(request: UserRequest, id: UUID) -> HttpResponse:
    """A question as a form; for htmx alone, otherwise in the midst of its conversation."""
    user = visitor(request)
    if user is None:
        return sign_in(request, request.path)
    question = access.question_or_404(user, id)
    if request.htmx:
        shown = article(question)
        return fragment(request, "chat/_edit.html", {"article": shown, "request_id": uuid4()})
    kept = dict(draft(request))
    return page(
        request,
        user,
        question.conversation,
        words=kept.pop("text", ""),
        kept=kept,
        through=question.pk,
        editing=str(question.pk),
        request_id=uuid4(),
    )


@posted_from("place")
def versions(request: UserRequest, id: UUID) -> HttpResponse:
    """Another version: of a question in the words that are sent, of a reply by asking again."""
    user = visitor(request)
    if user is None and "text" in request.POST:
        return keep_draft_and_sign_in(request, reverse("edit", args=[id]))
    if user is None:
        return sign_in(request, reverse("home"))
    message = access.message_or_404(user, id)
    is_question = message.role == Message.Role.USER
    form = (EditForm if is_question else AgainForm)(request.POST)
    if not form.is_valid():
        return _refuse(request, user, message, ReplyRejected("form", form.sentence))
    request_id = form.cleaned_data["request_id"]
    try:
        if is_question:
            chosen = settings_of(message.conversation, form.cleaned_data["model"])
            text = form.cleaned_data["text"]
            reply = replies.edit(
                user, question=message, text=text, request_id=request_id, chosen=chosen
            )
            drop_draft(request)
            return _show(request, reply, [reply.question, reply.answer])
        chosen = settings_of(message.conversation, form.cleaned_data["model"] or message.model)
        reply = replies.regenerate(user, answer=message, request_id=request_id, chosen=chosen)
        return _show(request, reply, [reply.answer])
    except ReplyRejected as refused:
        return _refuse(request, user, message, refused)


@posted_from("place")
def continuations(request: UserRequest, id: UUID) -> HttpResponse:
    """Let a reply that was cut go on."""
    user = visitor(request)
    if user is None:
        return sign_in(request, reverse("home"))
    answer = access.message_or_404(user, id)
    form = AgainForm(request.POST)
    try:
        if not form.is_valid():
            raise ReplyRejected("form", form.sentence)
        request_id = form.cleaned_data["request_id"]
        reply = replies.go_on(user, answer=answer, request_id=request_id)
    except ReplyRejected as refused:
        return _refuse(request, user, answer, refused)
    return _show(request, reply, [reply.answer])


def _show(request: UserRequest, reply: Reply, made: Sequence[Message]) -> HttpResponse:
    """What was made; the page drops what stood in its place."""
    where = reverse("conversation", args=[reply.conversation.pk])
    if not request.htmx:
        return redirect(f"{where}?leaf={reply.answer.pk}#m-{made[0].pk}")
    shown = [article(message) for message in made]
    response = fragment(request, "chat/_exchange.html", {"articles": shown})
    response["HX-Push-Url"] = where
    return response


def _refuse(
    request: UserRequest, user: User, message: Message, refused: ReplyRejected
) -> HttpResponse:
    return refuse(request, user, message.conversation, refused, through=message.pk)
