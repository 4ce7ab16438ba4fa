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
from chat.messages.forms import EditForm, RegenerateForm
from chat.models import Message
from chat.pages.responses import (
    UserRequest,
    delete_draft,
    get_current_user,
    load_draft,
    redirect_to_sign_in,
    render_fragment,
    render_page,
    render_rejection,
    require_post_or_redirect,
    save_draft_and_sign_in,
)
from chat.presentation.message_views import build_message_url, build_message_view
from chat.replies import Reply, ReplyRejected, ReplySettings


@require_safe
def redirect_to_message(request: UserRequest, id: UUID) -> HttpResponse:
    """Lead to where a message stands."""
    user = get_current_user(request)
    if user is None:
        return redirect_to_sign_in(request, request.path)
    message = access.get_message_or_404(user, id)
    return redirect(build_message_url(message.conversation_id, message.pk))


@require_safe
def edit_question(request: UserRequest, id: UUID) -> HttpResponse:
    """A question as a form; for htmx alone, otherwise in the midst of its conversation."""
    user = get_current_user(request)
    if user is None:
        return redirect_to_sign_in(request, request.path)
    question = access.get_question_or_404(user, id)
    if request.htmx:
        shown = build_message_view(question)
        return render_fragment(
            request, "chat/messages/_edit.html", {"message": shown, "request_id": uuid4()}
        )
    kept = dict(load_draft(request))
    return render_page(
        request,
        user,
        question.conversation,
        edit_text=kept.pop("text", ""),
        initial=kept,
        target_id=question.pk,
        editing_id=str(question.pk),
        request_id=uuid4(),
    )


@require_post_or_redirect("place")
def create_version(request: UserRequest, id: UUID) -> HttpResponse:
    """Another version: of a question in the words that are sent, of a reply by asking again."""
    user = get_current_user(request)
    if user is None and "text" in request.POST:
        return save_draft_and_sign_in(request, reverse("edit", args=[id]))
    if user is None:
        return redirect_to_sign_in(request, reverse("home"))
    message = access.get_message_or_404(user, id)
    is_question = message.role == Message.Role.USER
    form = (EditForm if is_question else RegenerateForm)(request.POST)
    if not form.is_valid():
        return _render_rejection(request, user, message, ReplyRejected("form", form.first_error))
    request_id = form.cleaned_data["request_id"]
    try:
        if is_question:
            chosen = ReplySettings.from_conversation(
                message.conversation, form.cleaned_data["model"]
            )
            text = form.cleaned_data["text"]
            reply = replies.edit_question(
                user, question=message, text=text, request_id=request_id, reply_settings=chosen
            )
            delete_draft(request)
            return _render_new_messages(request, reply, [reply.question, reply.answer])
        chosen = ReplySettings.from_conversation(
            message.conversation, form.cleaned_data["model"] or message.model
        )
        reply = replies.regenerate_answer(
            user, answer=message, request_id=request_id, reply_settings=chosen
        )
        return _render_new_messages(request, reply, [reply.answer])
    except ReplyRejected as refused:
        return _render_rejection(request, user, message, refused)


@require_post_or_redirect("place")
def create_continuation(request: UserRequest, id: UUID) -> HttpResponse:
    """Let a reply that was cut go on."""
    user = get_current_user(request)
    if user is None:
        return redirect_to_sign_in(request, reverse("home"))
    answer = access.get_message_or_404(user, id)
    form = RegenerateForm(request.POST)
    try:
        if not form.is_valid():
            raise ReplyRejected("form", form.first_error)
        request_id = form.cleaned_data["request_id"]
        reply = replies.continue_reply(user, answer=answer, request_id=request_id)
    except ReplyRejected as refused:
        return _render_rejection(request, user, answer, refused)
    return _render_new_messages(request, reply, [reply.answer])


def _render_new_messages(
    request: UserRequest, reply: Reply, new_messages: Sequence[Message]
) -> HttpResponse:
    """Return the new messages; the page replaces the old ones at their place."""
    where = reverse("conversation", args=[reply.conversation.pk])
    if not request.htmx:
        return redirect(f"{where}?leaf={reply.answer.pk}#m-{new_messages[0].pk}")
    shown = [build_message_view(message) for message in new_messages]
    response = render_fragment(request, "chat/messages/_new.html", {"message_views": shown})
    response["HX-Push-Url"] = where
    return response


def _render_rejection(
    request: UserRequest, user: User, message: Message, rejection: ReplyRejected
) -> HttpResponse:
    return render_rejection(request, user, message.conversation, rejection, target_id=message.pk)
