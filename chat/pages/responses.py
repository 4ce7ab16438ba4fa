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
from chat.conversations.sidebar import RowPosition, load_sidebar
from chat.conversations.undo import find_just_deleted
from chat.models import Conversation
from chat.presentation.composer import RESTORED_FIELDS, build_composer
from chat.presentation.message_views import (
    BLANK_ANSWER,
    BLANK_QUESTION,
    MessagePage,
    load_branch_page,
    load_page_before,
)
from chat.replies import CONVERSATION_MOVED, PagePosition, ReplyRejected

STARTERS = (
    "Why do tides lag the moon?",
    "Plan three quiet days in Lisbon",
    "Explain group commit to a novice",
)
DRAFT_SESSION_KEY = "draft"
MAX_DRAFT_BYTES = 20_000
"""Of all fields together, in UTF-8: what is kept for a visitor until they have signed in."""
DRAFT_TOO_LONG = (
    "You are signed out, and this text is too long to be kept here meanwhile. Copy it, sign in, "
    "and send it again."
)
TOO_MANY_DRAFTS = (
    "You are signed out, and no more texts can be kept here at the moment. Copy yours, sign in, "
    "and send it again."
)
FIELD_LABELS = {
    "text": "Your message",
    "model": "Model",
    "max_tokens": "Max tokens",
    "temperature": "Temperature",
    "reasoning_effort": "Reasoning effort",
    "system_prompt": "System prompt",
}

ViewFunction = Callable[..., HttpResponse]


class UserRequest(HttpRequest):
    """What the middleware of django_htmx makes of a request."""

    htmx: HtmxDetails


def require_post_or_redirect(url_name: str) -> Callable[[ViewFunction], ViewFunction]:
    """A verb of the forms on the page of this name. A refusal is a page at the verb's address, for
    which a tab that is restored asks by GET: that leads back to the page."""

    def decorator(view: ViewFunction) -> ViewFunction:
        posted = require_POST(view)

        @wraps(view)
        def wrapper(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            is_read = request.method in {"GET", "HEAD"}
            return redirect(url_name, **kwargs) if is_read else posted(request, **kwargs)

        return wrapper

    return decorator


def get_current_user(request: UserRequest) -> User | None:
    """Return the signed-in user, or None."""
    return request.user if request.user.is_authenticated else None


def render_page(
    request: UserRequest,
    user: User,
    conversation: Conversation | None,
    *,
    initial: Mapping[str, str],
    target_id: UUID | None = None,
    before_id: UUID | None = None,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """The page of a conversation, or of a new one; `kept` is what stands in its composer, and
    `through` a message whose branch is to be shown, and `before` one to end at."""
    shown = _load_message_page(conversation, target_id, before_id)
    running = next((a.stream_id for a in shown.messages if a.is_busy), "")
    standing = None
    if conversation and conversation.current_leaf_id and shown.branch_end_id:
        standing = PagePosition(shown.branch_end_id, conversation.current_leaf_id)
    context |= {
        "conversation": conversation,
        "title": conversation.title if conversation else "New chat",
        "message_views": shown.messages,
        "earlier_url": shown.earlier_url,
        "newest_url": shown.newest_url,
        "running_stream": running,
        "composer": build_composer(user, conversation, initial, running, standing),
        "sidebar": load_sidebar(user, RowPosition.parse(request.GET.get("chats", ""))),
        "current_path": reverse("conversation", args=[conversation.pk]) if conversation else "",
        "starters": STARTERS,
        "blank_question": BLANK_QUESTION,
        "blank_answer": BLANK_ANSWER,
        "moved": CONVERSATION_MOVED,
        "deleted_conversation": find_just_deleted(request),
    }
    return add_no_store_headers(render(request, "chat/page.html", context, status=status))


def _load_message_page(
    conversation: Conversation | None, target_id: UUID | None, before_id: UUID | None
) -> MessagePage:
    if conversation is None:
        return MessagePage([])
    return (
        load_page_before(conversation, before_id)
        if before_id
        else load_branch_page(conversation, target_id)
    )


def render_fragment(
    request: UserRequest, template: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    return add_no_store_headers(render(request, template, context, status=status))


def add_no_store_headers(response: HttpResponse) -> HttpResponse:
    """A page from a cache would show a reply as it was, and htmx's fragment as a page."""
    response["Cache-Control"] = "no-store, private"
    response["Vary"] = "HX-Request, Cookie"
    return response


def render_rejection(
    request: UserRequest,
    user: User,
    conversation: Conversation | None,
    rejection: ReplyRejected,
    *,
    target_id: UUID | None = None,
) -> HttpResponse:
    """Nothing was written. The text is still in the box: htmx left it there, and a page
    without scripts is given it again."""
    refusal: dict[str, Any] = {"rejection": rejection}
    status = 422
    if rejection.code == "moved" and conversation is not None:
        status = 409
        refusal["old_leaf_id"] = request.POST.get("parent", "")
        refusal["new_leaf_id"] = conversation.current_leaf_id
        refusal["current_path"] = reverse("conversation", args=[conversation.pk])
    if request.htmx:
        return render_fragment(request, "chat/composer/_rejection.html", refusal, status=status)
    return render_page(
        request,
        user,
        conversation,
        initial=read_typed_fields(request),
        target_id=target_id,
        status=status,
        **refusal,
    )


def redirect_to_sign_in(request: UserRequest, next_url: str) -> HttpResponse:
    """To the sign-in page, and back to `back` from there."""
    answer = redirect_to_login(next_url)
    return HttpResponseClientRedirect(answer.url) if request.htmx else answer


# Text that was typed and is not sent yet


def read_typed_fields(request: UserRequest) -> dict[str, str]:
    return {name: request.POST[name] for name in RESTORED_FIELDS if name in request.POST}


def load_draft(request: UserRequest) -> dict[str, str]:
    """Return the fields typed on this page before its visitor had to sign in. They stay stored
    until they are sent, so that a reload does not lose them."""
    kept = request.session.get(DRAFT_SESSION_KEY) or {}
    if kept.get("account") and kept["account"] != get_opaque_account_id(request.user):
        delete_draft(request)  # typed on the page of another account
        return {}
    if kept.get("page") != request.path:
        return {}
    return dict(kept["typed"])


def save_draft_and_sign_in(request: UserRequest, next_url: str) -> HttpResponse:
    """To the sign-in page with what was typed kept for `back`; what can't be kept is shown. A model
    that nobody chose is not kept: another one may be the usual one by then."""
    kept = read_typed_fields(request)
    if kept.get("model") == request.POST.get("default_model"):
        kept.pop("model", None)
    if sum(len(text.encode("utf-8", "replace")) for text in kept.values()) > MAX_DRAFT_BYTES:
        return _render_unsaved_draft(request, next_url, kept, DRAFT_TOO_LONG)
    if not try_consume_draft(request):
        return _render_unsaved_draft(request, next_url, kept, TOO_MANY_DRAFTS)
    request.session[DRAFT_SESSION_KEY] = {
        "page": next_url,
        "typed": kept,
        "account": get_submitted_account_id(request)[:64],
    }
    return redirect_to_sign_in(request, next_url)


def _render_unsaved_draft(
    request: UserRequest, next_url: str, typed_fields: Mapping[str, str], message: str
) -> HttpResponse:
    """htmx leaves the text in its box; a page without scripts is given it again."""
    context: dict[str, Any] = {
        "rejection": ReplyRejected("signed_out", message),
        "sign_in_url": redirect_to_login(next_url).url,
    }
    if request.htmx:
        return render_fragment(request, "chat/composer/_rejection.html", context, status=422)
    context["typed_fields"] = [
        (FIELD_LABELS[name], text) for name, text in typed_fields.items() if text
    ]
    return add_no_store_headers(render(request, "chat/signed_out.html", context, status=422))


def delete_draft(request: UserRequest) -> None:
    request.session.pop(DRAFT_SESSION_KEY, None)
