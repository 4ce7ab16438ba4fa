"""Requests of the composer's script: save a draft, and list those of one place."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse, JsonResponse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from accounts.decorators import HtmxRequest, UserRequest, signed_in
from accounts.rate_limits import RateLimit
from chat import access
from chat.drafts import storage
from chat.drafts.storage import DraftChange, DraftConflict, TooManyDrafts
from chat.models import Conversation
from chat.pages.responses import add_no_store_headers, read_typed_fields

SAVE_LIMIT = RateLimit("draft-saves", 240, 60)
"""For each person. A page that is typed in saves at most 60 times a minute."""
MAX_VERSION = 2**30
"""Half of what the column holds, because clearing a draft adds to it."""
DEFAULT_MODEL_FIELD = "usual"
"""The default model at the time; the page restores no demo once there is a better default."""


class PlaceForm(forms.Form):
    conversation = forms.UUIDField(required=False)


class DraftForm(PlaceForm):
    base = forms.IntegerField(min_value=0, max_value=MAX_VERSION)
    version = forms.IntegerField(min_value=1, max_value=MAX_VERSION)
    writer = forms.UUIDField()


def _answer_nothing(request: HtmxRequest, **kwargs: Any) -> HttpResponse:
    """A page may save and list until it hears that its session has ended. No error, which browsers
    would report."""
    return HttpResponse(status=204)


@require_POST
@signed_in(otherwise=_answer_nothing)
@sensitive_post_parameters()
def save_draft(request: UserRequest, id: UUID) -> HttpResponse:
    """If another page has changed the draft, answer with that text and store nothing; 413 and 429
    beyond the limits. The conflict is no error, which browsers and logs would report."""
    form = DraftForm(request.POST)
    if not form.is_valid() or form.cleaned_data["version"] <= form.cleaned_data["base"]:
        return HttpResponse(status=400)
    conversation = _find_conversation(request, form.cleaned_data["conversation"])
    change = _build_change(request, form)
    if change.size > storage.MAX_DRAFT_BYTES:
        return HttpResponse(status=413)
    if not SAVE_LIMIT.counter_for(request.user.pk).try_consume():
        return HttpResponse(status=429)
    try:
        saved = storage.save_draft(request.user, id, change, conversation)
    except DraftConflict as conflict:
        found = conflict.draft
        return JsonResponse({"draft": storage.describe_draft(found) if found else None})
    except TooManyDrafts:
        return HttpResponse(status=429)
    return JsonResponse({"version": saved.version, "revision": saved.revision})


def _build_change(request: UserRequest, form: DraftForm) -> DraftChange:
    settings = {name: value for name, value in read_typed_fields(request).items() if value}
    text = settings.pop("text", "").replace("\0", "\ufffd")
    if usual := request.POST.get(DEFAULT_MODEL_FIELD, ""):
        settings[DEFAULT_MODEL_FIELD] = usual
    return DraftChange(
        text=text if text.strip() else "",
        settings={name: value.replace("\0", "\ufffd") for name, value in settings.items()},
        base=form.cleaned_data["base"],
        version=form.cleaned_data["version"],
        writer=str(form.cleaned_data["writer"]),
    )


@require_safe
@signed_in(otherwise=_answer_nothing)
def list_drafts(request: UserRequest) -> HttpResponse:
    """`conversation` is empty for the drafts of new chats. The answer is null if there is no such
    conversation: it may have been deleted in another tab, and a page need not report that."""
    form = PlaceForm(request.GET)
    drafts = None
    if form.is_valid():
        with suppress(Http404):
            conversation = _find_conversation(request, form.cleaned_data["conversation"])
            drafts = storage.list_drafts(request.user, conversation)
    return add_no_store_headers(JsonResponse({"drafts": drafts}))


def _find_conversation(request: UserRequest, id: UUID | None) -> Conversation | None:
    return access.get_conversation_or_404(request.user, id) if id else None
