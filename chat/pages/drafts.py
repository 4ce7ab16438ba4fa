"""Drafts of anonymous visitors: what they typed waits in the session until they sign in. The drafts
of signed-in people are in `chat.drafts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.anonymous_limits import try_consume_draft
from accounts.decorators import HtmxRequest, UserRequest, ViewFunction, redirect_to_sign_in
from accounts.page_account import get_submitted_account_id, is_account_id
from chat.drafts.storage import clear_draft
from chat.pages.responses import add_no_store_headers, read_typed_fields, render_fragment
from chat.replies import ReplyRejected
from chat.replies.settings import SETTINGS

DRAFT_SESSION_KEY = "draft"
DRAFT_FIELD = "draft"
"""In a message from a page with scripts: the id of the stored draft that it was."""
MAX_DRAFT_BYTES = 20_000
"""Bytes in UTF-8 of all fields of a draft together."""
DRAFT_TOO_LONG = _(
    "You’re signed out, and this text is too long to save. Copy it, sign in, and send it again."
)
TOO_MANY_DRAFTS = _(
    "You’re signed out, and no more drafts can be saved at the moment. Copy your text, sign in, "
    "and send it again."
)
FIELD_LABELS = {
    "text": _("Your message"),
    "model": _("Model"),
    **{name: setting.field.label for name, setting in SETTINGS.items()},
}


def load_draft(request: HtmxRequest) -> dict[str, str]:
    """The draft stays until it is sent, so that a reload does not lose it."""
    draft = request.session.get(DRAFT_SESSION_KEY) or {}
    if draft.get("account") and not is_account_id(draft["account"], request.user):
        delete_draft(request)  # typed on the page of another account
        return {}
    if draft.get("page") != request.path:
        return {}
    return dict(draft["typed"])


def save_draft_for(url_name: str) -> ViewFunction:
    def handler(request: HtmxRequest, **kwargs: Any) -> HttpResponse:
        return save_draft_and_sign_in(request, reverse(url_name, kwargs=kwargs))

    return handler


def save_draft_and_sign_in(request: HtmxRequest, next_url: str) -> HttpResponse:
    """A draft beyond the limits is shown and not saved. The default model is not saved, because
    another one may be the default later."""
    fields = read_typed_fields(request)
    if fields.get("model") == request.POST.get("default_model"):
        fields.pop("model", None)
    if sum(len(text.encode("utf-8", "replace")) for text in fields.values()) > MAX_DRAFT_BYTES:
        return _render_unsaved_draft(request, next_url, fields, str(DRAFT_TOO_LONG))
    if not try_consume_draft(request):
        return _render_unsaved_draft(request, next_url, fields, str(TOO_MANY_DRAFTS))
    request.session[DRAFT_SESSION_KEY] = {
        "page": next_url,
        "typed": fields,
        "account": get_submitted_account_id(request)[:64],
    }
    return redirect_to_sign_in(request, next_url)


def _render_unsaved_draft(
    request: HtmxRequest, next_url: str, fields: Mapping[str, str], message: str
) -> HttpResponse:
    """htmx leaves the text in its box; a page without scripts shows it."""
    context: dict[str, Any] = {
        "rejection": ReplyRejected("signed_out", message),
        "sign_in_url": redirect_to_login(next_url).url,
    }
    if request.htmx:
        return render_fragment(request, "chat/composer/_rejection.html", context, status=422)
    context["typed_fields"] = [(FIELD_LABELS[name], text) for name, text in fields.items() if text]
    return add_no_store_headers(render(request, "chat/signed_out.html", context, status=422))


def delete_draft(request: HtmxRequest) -> None:
    request.session.pop(DRAFT_SESSION_KEY, None)


def delete_sent_draft(request: UserRequest) -> None:
    """Delete it on all devices of the person. A request without a valid id has no such draft."""
    delete_draft(request)
    try:
        id = UUID(request.POST.get(DRAFT_FIELD, ""))
    except ValueError:
        return
    clear_draft(request.user, id)
