"""The pages: a guard, a form, a verb, and what is rendered. Each answers a browser without
scripts with a page, and htmx with the fragment that page is made of."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from chat import access, conversations, replies
from chat.articles import article, articles, earlier_articles
from chat.forms import ComposerForm
from chat.models import Conversation, Message
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
from chat.replies import ReplyRejected
from chat.sidebar import Place, listing
from streaming import lifecycle

LOOKS = {"theme": {"light", "dark"}, "type": {"sans"}}
"""What a browser may be asked to look like; anything else is as we or the system have it."""
A_YEAR = 365 * 24 * 60 * 60


# Pages


@require_safe
def home(request: UserRequest) -> HttpResponse:
    """A new chat; who is not signed in sees what this is."""
    user = visitor(request)
    if user is None:
        return render(request, "chat/landing.html")
    return page(request, user, None, kept=draft(request) | _asked_for(request))


@require_safe
def conversation(request: UserRequest, id: UUID) -> HttpResponse:
    """A conversation with all of its text that is committed now; for htmx the messages. `leaf`
    names a message whose branch is to be shown instead of the one written last."""
    user = visitor(request)
    if user is None:
        return sign_in(request, request.get_full_path())
    found = access.conversation_or_404(user, id)
    conversations.mark_read(found)
    through = _named(request.GET.get("leaf", ""))
    if request.htmx:
        stretch = articles(found, through)
        shown = {
            "articles": stretch.articles,
            "earlier": stretch.earlier,
            "newest": stretch.newest,
        }
        return fragment(request, "chat/_messages.html", shown)
    return page(request, user, found, kept=draft(request), through=through)


@require_safe
def earlier(request: UserRequest, id: UUID) -> HttpResponse:
    """The messages `before` one; for htmx in place of the link that led here."""
    user = visitor(request)
    if user is None:
        return sign_in(request, request.get_full_path())
    found = access.conversation_or_404(user, id)
    before = _named(request.GET.get("before", ""))
    if before is None or not found.messages.filter(pk=before).exists():
        raise Http404
    if not request.htmx:
        return page(request, user, found, kept=draft(request), before=before)
    stretch = earlier_articles(found, before)
    shown = {"articles": stretch.articles, "earlier": stretch.earlier}
    return fragment(request, "chat/_earlier.html", shown)


@require_safe
def message(request: UserRequest, id: UUID) -> HttpResponse:
    """One message as it stands: what a page asks for at the end of a reply, or in doubt."""
    user = visitor(request)
    if user is None:
        return HttpResponse(status=401)
    found = access.message_or_404(user, id)
    return fragment(request, "chat/_message.html", {"article": article(found)})


@require_safe
def sidebar(request: UserRequest) -> HttpResponse:
    """The list of conversations, with the mark at the one that is `open` beside it, and all rows
    `through` the place that its reader has come to; or only the rows `after` a place."""
    user = visitor(request)
    if user is None:
        return HttpResponse(status=401)
    at = _named(request.GET.get("open", ""))
    context: dict[str, Any] = {"at": reverse("conversation", args=[at]) if at else ""}
    if after := Place.read(request.GET.get("after", "")):
        context["listing"] = listing(user, after, joined=True)
        return fragment(request, "chat/_rows.html", context)
    through = Place.read(request.GET.get("through", ""))
    context["listing"] = listing(user, through=through)
    return fragment(request, "chat/_sidebar.html", context)


# Verbs


@posted_from("home")
def start(request: UserRequest) -> HttpResponse:
    """The first message of a new conversation."""
    user = visitor(request)
    if user is None:
        return keep_draft_and_sign_in(request, reverse("home"))
    return _send(request, user, None)


@posted_from("conversation")
def send(request: UserRequest, id: UUID) -> HttpResponse:
    """The next message of a conversation."""
    user = visitor(request)
    if user is None:
        return keep_draft_and_sign_in(request, reverse("conversation", args=[id]))
    return _send(request, user, access.conversation_or_404(user, id))


@require_POST
def stop(request: UserRequest, uuid: UUID) -> HttpResponse:
    """End a reply where it stands. One that is over already stays as it is."""
    user = visitor(request)
    if user is None:
        return sign_in(request, reverse("home"))
    stream = access.stream_or_404(user, uuid)
    lifecycle.stop(stream.pk)
    if request.htmx:
        return HttpResponse(status=204)
    answer = Message.objects.filter(stream=stream).first()
    return redirect("conversation", answer.conversation_id) if answer else redirect("home")


@require_POST
def look(request: UserRequest, name: str) -> HttpResponse:
    """The colours, or the type of replies, from now on in this browser."""
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = reverse("home")
    response = HttpResponseRedirect(back)  # `redirect` would take a word for the name of a view
    chosen = request.POST.get(name, "")
    if chosen in LOOKS[name]:
        response.set_cookie(
            name, chosen, max_age=A_YEAR, samesite="Lax", secure=request.is_secure()
        )
    else:
        response.delete_cookie(name, samesite="Lax")
    return response


# What they share


def _send(request: UserRequest, user: User, conversation: Conversation | None) -> HttpResponse:
    form = ComposerForm(request.POST)
    if not form.is_valid():
        return refuse(request, user, conversation, ReplyRejected("form", form.sentence))
    try:
        reply = replies.start(
            user,
            text=form.cleaned_data["text"],
            request_id=form.cleaned_data["request_id"],
            chosen=form.chosen,
            conversation=conversation,
            standing=form.standing,
        )
    except ReplyRejected as refused:
        if conversation is not None:
            conversation.refresh_from_db()
        return refuse(request, user, conversation, refused)
    drop_draft(request)
    where = reverse("conversation", args=[reply.conversation.pk])
    if not request.htmx:
        return redirect(where)
    exchange = [article(reply.question), article(reply.answer)]
    response = fragment(request, "chat/_exchange.html", {"articles": exchange})
    if conversation is None:
        response["HX-Push-Url"] = where
    return response


def _asked_for(request: UserRequest) -> dict[str, str]:
    """A new chat may be begun by a link that names a text or a model."""
    return {name: request.GET[name] for name in ("text", "model") if name in request.GET}


def _named(id: str) -> UUID | None:
    try:
        return UUID(id)
    except ValueError:
        return None
