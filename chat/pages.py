"""What the views share: a page or a fragment as the answer, who is asking, and what was typed and
is not sent yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from accounts.anonymous_limits import try_consume_draft
from accounts.models import User
from accounts.page_account import get_opaque_account_id, get_submitted_account_id
from chat.articles import BLANK_ANSWER, BLANK_QUESTION, Stretch, articles, earlier_articles
from chat.composer import FIELDS, composer
from chat.deleted import just_deleted
from chat.models import Conversation
from chat.replies import MOVED, ReplyRejected, Standing
from chat.sidebar import Place, listing

STARTERS = (
    "Why do tides lag the moon?",
    "Plan three quiet days in Lisbon",
    "Explain group commit to a novice",
)
DRAFT = "draft"
MAX_DRAFT_BYTES = 20_000
"""Of all fields together, in UTF-8: what is kept for a visitor until they have signed in."""
TOO_LONG_TO_KEEP = (
    "You are signed out, and this text is too long to be kept here meanwhile. Copy it, sign in, "
    "and send it again."
)
TOO_MANY_KEPT = (
    "You are signed out, and no more texts can be kept here at the moment. Copy yours, sign in, "
    "and send it again."
)
LABELS = {
    "text": "Your message",
    "model": "Model",
    "max_tokens": "Max tokens",
    "temperature": "Temperature",
    "reasoning_effort": "Reasoning effort",
    "system_prompt": "System prompt",
}

View = Callable[..., HttpResponse]


class UserRequest(HttpRequest):
    """What the middleware of django_htmx makes of a request."""

    htmx: HtmxDetails


def posted_from(page: str) -> Callable[[View], View]:
    """A verb of the forms on the page of this name. A refusal is a page at the verb's address, for
    which a tab that is restored asks by GET: that leads back to the page."""

    def guard(verb: View) -> View:
        posted = require_POST(verb)

        @wraps(verb)
        def answer(request: HttpRequest, **named: Any) -> HttpResponse:
            is_read = request.method in {"GET", "HEAD"}
            return redirect(page, **named) if is_read else posted(request, **named)

        return answer

    return guard


def visitor(request: UserRequest) -> User | None:
    """Who asks, if they are signed in."""
    return request.user if request.user.is_authenticated else None


def page(
    request: UserRequest,
    user: User,
    conversation: Conversation | None,
    *,
    kept: Mapping[str, str],
    through: UUID | None = None,
    before: UUID | None = None,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """The page of a conversation, or of a new one; `kept` is what stands in its composer, and
    `through` a message whose branch is to be shown, and `before` one to end at."""
    shown = _shown(conversation, through, before)
    running = next((a.stream for a in shown.articles if a.busy), "")
    standing = None
    if conversation and conversation.leaf_id and shown.end:
        standing = Standing(shown.end, conversation.leaf_id)
    context |= {
        "conversation": conversation,
        "title": conversation.title if conversation else "New chat",
        "articles": shown.articles,
        "earlier": shown.earlier,
        "newest": shown.newest,
        "running": running,
        "composer": composer(user, conversation, kept, running, standing),
        "listing": listing(user, Place.read(request.GET.get("chats", ""))),
        "at": reverse("conversation", args=[conversation.pk]) if conversation else "",
        "starters": STARTERS,
        "blank_question": BLANK_QUESTION,
        "blank_answer": BLANK_ANSWER,
        "moved": MOVED,
        "deleted": just_deleted(request),
    }
    return uncached(render(request, "chat/conversation.html", context, status=status))


def _shown(conversation: Conversation | None, through: UUID | None, before: UUID | None) -> Stretch:
    if conversation is None:
        return Stretch([])
    return earlier_articles(conversation, before) if before else articles(conversation, through)


def fragment(
    request: UserRequest, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    return uncached(render(request, template, context, status=status))


def uncached(response: HttpResponse) -> HttpResponse:
    """A page from a cache would show a reply as it was, and htmx's fragment as a page."""
    response["Cache-Control"] = "no-store, private"
    response["Vary"] = "HX-Request, Cookie"
    return response


def refuse(
    request: UserRequest,
    user: User,
    conversation: Conversation | None,
    refused: ReplyRejected,
    *,
    through: UUID | None = None,
) -> HttpResponse:
    """Nothing was written. The text is still in the box: htmx left it there, and a page
    without scripts is given it again."""
    refusal: dict[str, Any] = {"refusal": refused}
    status = 422
    if refused.code == "moved" and conversation is not None:
        status = 409
        refusal["moved_from"] = request.POST.get("parent", "")
        refusal["moved_to"] = conversation.leaf_id
        refusal["at"] = reverse("conversation", args=[conversation.pk])
    if request.htmx:
        return fragment(request, "chat/_refused.html", refusal, status=status)
    return page(
        request, user, conversation, kept=typed(request), through=through, status=status, **refusal
    )


def sign_in(request: UserRequest, back: str) -> HttpResponse:
    """To the sign-in page, and back to `back` from there."""
    answer = redirect_to_login(back)
    return HttpResponseClientRedirect(answer.url) if request.htmx else answer


# What was typed, and is not sent yet


def typed(request: UserRequest) -> dict[str, str]:
    return {name: request.POST[name] for name in FIELDS if name in request.POST}


def draft(request: UserRequest) -> dict[str, str]:
    """What was typed on this page before its writer had to sign in. It stays until it is
    sent, so that a reload does not lose it."""
    kept = request.session.get(DRAFT) or {}
    if kept.get("account") and kept["account"] != get_opaque_account_id(request.user):
        drop_draft(request)  # typed on the page of another account
        return {}
    if kept.get("page") != request.path:
        return {}
    return dict(kept["typed"])


def keep_draft_and_sign_in(request: UserRequest, back: str) -> HttpResponse:
    """To the sign-in page with what was typed kept for `back`; what can't be kept is shown. A model
    that nobody chose is not kept: another one may be the usual one by then."""
    kept = typed(request)
    if kept.get("model") == request.POST.get("default_model"):
        kept.pop("model", None)
    if sum(len(text.encode("utf-8", "replace")) for text in kept.values()) > MAX_DRAFT_BYTES:
        return _show_unkept(request, back, kept, TOO_LONG_TO_KEEP)
    if not try_consume_draft(request):
        return _show_unkept(request, back, kept, TOO_MANY_KEPT)
    request.session[DRAFT] = {
        "page": back,
        "typed": kept,
        "account": get_submitted_account_id(request)[:64],
    }
    return sign_in(request, back)


def _show_unkept(
    request: UserRequest, back: str, kept: Mapping[str, str], sentence: str
) -> HttpResponse:
    """htmx leaves the text in its box; a page without scripts is given it again."""
    context: dict[str, Any] = {
        "refusal": ReplyRejected("signed_out", sentence),
        "sign_in": redirect_to_login(back).url,
    }
    if request.htmx:
        return fragment(request, "chat/_refused.html", context, status=422)
    context["kept"] = [(LABELS[name], text) for name, text in kept.items() if text]
    return uncached(render(request, "chat/signed_out.html", context, status=422))


def drop_draft(request: UserRequest) -> None:
    request.session.pop(DRAFT, None)
