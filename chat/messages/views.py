"""Actions on messages: send, edit, regenerate, continue, stop. Each adds a message beside or after
the existing ones; nothing is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import (
    HtmxRequest,
    UserRequest,
    answer_unauthorized,
    ask_to_sign_in,
    require_post_or_redirect,
    signed_in,
)
from chat import access, replies
from chat.messages.forms import ComposerForm, EditForm, RegenerateForm
from chat.models import Conversation, Message
from chat.pages.drafts import (
    delete_draft,
    delete_sent_draft,
    load_draft,
    save_draft_and_sign_in,
    save_draft_for,
)
from chat.pages.responses import render_fragment, render_page, render_rejection
from chat.presentation.message_views import build_message_view
from chat.presentation.versions import build_message_url
from chat.replies import Reply, ReplyRejected, ReplySettings
from streaming import lifecycle

# Send and stop


@require_post_or_redirect("home")
@signed_in(otherwise=save_draft_for("home"))
def start_conversation(request: UserRequest) -> HttpResponse:
    return _start_reply(request, None)


@require_post_or_redirect("conversation")
@signed_in(otherwise=save_draft_for("conversation"))
def send_message(request: UserRequest, id: UUID) -> HttpResponse:
    return _start_reply(request, access.get_conversation_or_404(request.user, id))


def _start_reply(request: UserRequest, conversation: Conversation | None) -> HttpResponse:
    form = ComposerForm(request.POST)
    try:
        form.require_valid()
        reply = replies.start_reply(
            request.user,
            text=form.cleaned_data["text"],
            request_id=form.cleaned_data["request_id"],
            reply_settings=form.reply_settings,
            conversation=conversation,
            position=form.page_position,
        )
    except ReplyRejected as rejection:
        if conversation is not None:
            conversation.refresh_from_db()
        return render_rejection(request, conversation, rejection)
    delete_sent_draft(request)
    url = reverse("conversation", args=[reply.conversation.pk])
    if not request.htmx:
        return redirect(url)
    response = _render_new_messages(request, [reply.question, reply.answer])
    if conversation is None:
        response["HX-Push-Url"] = url
    return response


@require_POST
@signed_in()
def stop_reply(request: UserRequest, uuid: UUID) -> HttpResponse:
    stream = access.get_stream_or_404(request.user, uuid)
    lifecycle.stop(stream.pk)
    if request.htmx:
        return HttpResponse(status=204)
    answer = Message.objects.filter(stream=stream).first()
    return redirect("conversation", answer.conversation_id) if answer else redirect("home")


# One message


@require_safe
@signed_in(otherwise=answer_unauthorized)
def message_fragment(request: UserRequest, id: UUID) -> HttpResponse:
    """Pages fetch it when a reply ends, or when they may have missed a part of it."""
    message = access.get_message_or_404(request.user, id)
    return render_fragment(
        request, "chat/messages/_message.html", {"message": build_message_view(message)}
    )


@require_safe
@signed_in()
def redirect_to_message(request: UserRequest, id: UUID) -> HttpResponse:
    message = access.get_message_or_404(request.user, id)
    return redirect(build_message_url(message.conversation_id, message.pk))


# Versions


@require_safe
@signed_in()
def edit_question(request: UserRequest, id: UUID) -> HttpResponse:
    question = access.get_question_or_404(request.user, id)
    if request.htmx:
        context = {"message": build_message_view(question), "request_id": uuid4()}
        return render_fragment(request, "chat/messages/_edit.html", context)
    draft = load_draft(request)
    return render_page(
        request,
        question.conversation,
        edit_text=draft.pop("text", ""),
        initial=draft,
        target_id=question.pk,
        editing_id=str(question.pk),
        request_id=uuid4(),
    )


def _save_edit_and_sign_in(request: HtmxRequest, id: UUID) -> HttpResponse:
    """Only a question has a text to keep. Whether the message exists is checked after the
    sign-in."""
    if "text" in request.POST:
        return save_draft_and_sign_in(request, reverse("edit", args=[id]))
    return ask_to_sign_in(request)


@require_post_or_redirect("place")
@signed_in(otherwise=_save_edit_and_sign_in)
def create_version(request: UserRequest, id: UUID) -> HttpResponse:
    message = access.get_message_or_404(request.user, id)
    try:
        if message.role == Message.Role.USER:
            reply = _edit_question(request, message)
            delete_draft(request)
            return _build_version_response(request, reply, [reply.question, reply.answer])
        reply = _regenerate_answer(request, message)
        return _build_version_response(request, reply, [reply.answer])
    except ReplyRejected as rejection:
        return render_rejection(request, message.conversation, rejection, target_id=message.pk)


def _edit_question(request: UserRequest, question: Message) -> Reply:
    form = EditForm(request.POST)
    form.require_valid()
    return replies.edit_question(
        request.user,
        question=question,
        text=form.cleaned_data["text"],
        request_id=form.cleaned_data["request_id"],
        reply_settings=ReplySettings.from_conversation(
            question.conversation, form.cleaned_data["model"]
        ),
    )


def _regenerate_answer(request: UserRequest, answer: Message) -> Reply:
    form = RegenerateForm(request.POST)
    form.require_valid()
    model, provider = form.cleaned_data["model"], ""
    if not model:
        model, provider = answer.model, answer.provider
    return replies.regenerate_answer(
        request.user,
        answer=answer,
        request_id=form.cleaned_data["request_id"],
        reply_settings=ReplySettings.from_conversation(answer.conversation, model, provider),
    )


@require_post_or_redirect("place")
@signed_in()
def create_continuation(request: UserRequest, id: UUID) -> HttpResponse:
    answer = access.get_message_or_404(request.user, id)
    form = RegenerateForm(request.POST)
    try:
        form.require_valid()
        request_id = form.cleaned_data["request_id"]
        reply = replies.continue_reply(request.user, answer=answer, request_id=request_id)
    except ReplyRejected as rejection:
        return render_rejection(request, answer.conversation, rejection, target_id=answer.pk)
    return _build_version_response(request, reply, [reply.answer])


# Responses


def _build_version_response(
    request: UserRequest, reply: Reply, new_messages: Sequence[Message]
) -> HttpResponse:
    """The page's script removes the messages that the new ones replace."""
    url = reverse("conversation", args=[reply.conversation.pk])
    if not request.htmx:
        return redirect(f"{url}?leaf={reply.answer.pk}#m-{new_messages[0].pk}")
    response = _render_new_messages(request, new_messages)
    response["HX-Push-Url"] = url
    return response


def _render_new_messages(request: UserRequest, new_messages: Sequence[Message]) -> HttpResponse:
    views = [build_message_view(message) for message in new_messages]
    return render_fragment(request, "chat/messages/_new.html", {"message_views": views})
