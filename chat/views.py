"""The pages: a guard, a form, a verb, and what is rendered. Each answers a browser without
scripts with a page, and htmx with the fragment that page is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from chat import access, replies
from chat.articles import BLANK_ANSWER, BLANK_QUESTION, article, articles
from chat.composer import FIELDS, composer
from chat.forms import MESSAGE_LIMIT, ComposerForm
from chat.models import Conversation, Message
from chat.replies import Refused
from chat.sidebar import rows
from streaming import lifecycle

STARTERS = (
    "Why do tides lag the moon?",
    "Plan three quiet days in Lisbon",
    "Explain group commit to a novice",
)
THEMES = {"light", "dark"}
A_YEAR = 365 * 24 * 60 * 60
DRAFT = "draft"


class Request(HttpRequest):
    """What the middleware of django_htmx makes of a request."""

    htmx: HtmxDetails


# Pages


@require_safe
def home(request: Request) -> HttpResponse:
    """A new chat; who is not signed in sees what this is."""
    user = _user(request)
    if user is None:
        return render(request, "chat/landing.html")
    return _page(request, user, None, kept=_draft(request) | _asked_for(request))


@require_safe
def conversation(request: Request, id: UUID) -> HttpResponse:
    """A conversation with all of its text that is committed now; for htmx the messages."""
    user = _user(request)
    if user is None:
        return _sign_in(request, request.path)
    found = access.conversation_or_404(user, id)
    if request.htmx:
        return _fragment(request, "chat/_messages.html", {"articles": articles(found)})
    return _page(request, user, found, kept=_draft(request))


@require_safe
def message(request: Request, id: UUID) -> HttpResponse:
    """One message as it stands: what a page asks for at the end of a reply, or in doubt."""
    user = _user(request)
    if user is None:
        return HttpResponse(status=401)
    found = access.message_or_404(user, id)
    return _fragment(request, "chat/_message.html", {"article": article(found)})


@require_safe
def sidebar(request: Request) -> HttpResponse:
    """The list of conversations, with the mark at the one that is open beside it."""
    user = _user(request)
    if user is None:
        return HttpResponse(status=401)
    context = {"rows": rows(user), "at": request.htmx.current_url_abs_path}
    return _fragment(request, "chat/_sidebar.html", context)


# Verbs


@require_POST
def start(request: Request) -> HttpResponse:
    """The first message of a new conversation."""
    user = _user(request)
    if user is None:
        return _keep_and_sign_in(request, reverse("home"))
    return _send(request, user, None)


@require_POST
def send(request: Request, id: UUID) -> HttpResponse:
    """The next message of a conversation."""
    user = _user(request)
    if user is None:
        return _keep_and_sign_in(request, reverse("conversation", args=[id]))
    return _send(request, user, access.conversation_or_404(user, id))


@require_POST
def stop(request: Request, uuid: UUID) -> HttpResponse:
    """End a reply where it stands. One that is over already stays as it is."""
    user = _user(request)
    if user is None:
        return _sign_in(request, reverse("home"))
    stream = access.stream_or_404(user, uuid)
    lifecycle.stop(stream.pk)
    if request.htmx:
        return HttpResponse(status=204)
    answer = Message.objects.filter(stream=stream).first()
    return redirect("conversation", answer.conversation_id) if answer else redirect("home")


@require_POST
def theme(request: Request) -> HttpResponse:
    """Light or dark from now on, in this browser; anything else is as the system is."""
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = reverse("home")
    response = redirect(back)
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        response.set_cookie(
            "theme", chosen, max_age=A_YEAR, samesite="Lax", secure=request.is_secure()
        )
    else:
        response.delete_cookie("theme", samesite="Lax")
    return response


# What they share


def _user(request: Request) -> User | None:
    return request.user if request.user.is_authenticated else None


def _send(request: Request, user: User, conversation: Conversation | None) -> HttpResponse:
    form = ComposerForm(request.POST)
    if not form.is_valid():
        return _refuse(request, user, conversation, form.sentence)
    try:
        reply = replies.start(
            user,
            text=form.cleaned_data["text"],
            request_id=form.cleaned_data["request_id"],
            chosen=form.chosen,
            conversation=conversation,
        )
    except Refused as refused:
        return _refuse(request, user, conversation, refused.message, refused.code)
    request.session.pop(DRAFT, None)
    where = reverse("conversation", args=[reply.conversation.pk])
    if not request.htmx:
        return redirect(where)
    exchange = [article(reply.question), article(reply.answer)]
    response = _fragment(request, "chat/_exchange.html", {"articles": exchange})
    if conversation is None:
        response["HX-Push-Url"] = where
    return response


def _refuse(
    request: Request,
    user: User,
    conversation: Conversation | None,
    sentence: str,
    code: str = "",
) -> HttpResponse:
    """Nothing was written. The text is still in the box: htmx left it there, and a page
    without scripts is given it again."""
    refusal = {"refusal": sentence, "refusal_needs_key": code == "no_key"}
    if request.htmx:
        return _fragment(request, "chat/_refused.html", refusal, status=422)
    return _page(request, user, conversation, kept=_typed(request), status=422, **refusal)


def _page(
    request: Request,
    user: User,
    conversation: Conversation | None,
    *,
    kept: Mapping[str, str],
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    shown = articles(conversation) if conversation else []
    running = next((a.stream for a in shown if a.busy), "")
    context |= {
        "conversation": conversation,
        "title": conversation.title if conversation else "New chat",
        "articles": shown,
        "running": running,
        "composer": composer(user, conversation, kept, running),
        "rows": rows(user),
        "at": reverse("conversation", args=[conversation.pk]) if conversation else "",
        "starters": STARTERS,
        "blank_question": BLANK_QUESTION,
        "blank_answer": BLANK_ANSWER,
    }
    return _uncached(render(request, "chat/conversation.html", context, status=status))


def _fragment(
    request: Request, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    return _uncached(render(request, template, context, status=status))


def _uncached(response: HttpResponse) -> HttpResponse:
    """A page from a cache would show a reply as it was, and htmx's fragment as a page."""
    response["Cache-Control"] = "no-store, private"
    response["Vary"] = "HX-Request, Cookie"
    return response


# What was typed, and is not sent yet


def _typed(request: Request) -> dict[str, str]:
    return {name: request.POST[name] for name in FIELDS if name in request.POST}


def _asked_for(request: Request) -> dict[str, str]:
    """A new chat may be begun by a link that names a text or a model."""
    return {name: request.GET[name] for name in ("text", "model") if name in request.GET}


def _draft(request: Request) -> dict[str, str]:
    """What was typed on this page before its writer had to sign in. It stays until it is
    sent, so that a reload does not lose it."""
    draft = request.session.get(DRAFT) or {}
    return draft["typed"] if draft.get("page") == request.path else {}


def _keep_and_sign_in(request: Request, page: str) -> HttpResponse:
    typed = {name: text[:MESSAGE_LIMIT] for name, text in _typed(request).items()}
    request.session[DRAFT] = {"page": page, "typed": typed}
    return _sign_in(request, page)


def _sign_in(request: Request, page: str) -> HttpResponse:
    """To the sign-in page, and back to `page` from there."""
    answer = redirect_to_login(page)
    return HttpResponseClientRedirect(answer.url) if request.htmx else answer
