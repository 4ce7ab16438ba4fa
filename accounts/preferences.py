"""The form and the page of a person's settings of replies."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from accounts.audit.events import record_event
from accounts.audit.kinds import SETTINGS_CHANGED
from accounts.decorators import UserRequest, sign_in_and_return, signed_in
from accounts.models import User

FIELDS = ["background_replies", "shows_program_chats"]


class ReplyPreferencesForm(forms.ModelForm):  # type: ignore[type-arg]
    shows_program_chats = forms.BooleanField(  # the column may be empty
        required=False, label=gettext_lazy("List the chats of programs")
    )

    class Meta:
        model = User
        fields = FIELDS
        labels = {"background_replies": gettext_lazy("Resume from OpenAI after a crash")}
        help_texts = {"background_replies": ""}  # the page explains it


@signed_in(sign_in_and_return)
@never_cache
def reply_preferences_page(request: UserRequest) -> HttpResponse:
    form = ReplyPreferencesForm(
        request.POST if request.method == "POST" else None, instance=request.user
    )
    if not form.is_valid():
        return render(request, "settings/replies.html", {"form": form})
    form.instance.save(update_fields=FIELDS)  # others may have changed
    if form.has_changed():
        fields = ", ".join(form.changed_data)
        record_event(SETTINGS_CHANGED, form.instance, request=request, fields=fields)
    messages.success(request, _("Your settings are saved."))
    return redirect("replies")
