"""The limits of a person, on the person's page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.audit.events import record_event
from accounts.audit.kinds import register_kind
from accounts.models import User, UserLimits

LIMITS_CHANGED = register_kind("account.limits_changed", _("Changed the limits of the account"))


class UserLimitsInline(admin.StackedInline):
    model = UserLimits
    verbose_name_plural = _("Limits (empty: those of the installation; 0: none at all)")
    fields = (
        ("unfinished_replies", "messages_per_minute"),
        ("chars_per_minute", "chars_per_day"),
        "stored_chars",
        ("monthly_dollars", "monthly_tokens"),
    )


def record_changed_limits(request: HttpRequest, user: User, formset: Any) -> None:
    """The person sees the event with the names of the limits."""
    changed = {name for form in formset.forms for name in form.changed_data}
    names = [field.name for field in UserLimits._meta.fields if field.name in changed - {"user"}]
    if names or formset.deleted_objects:
        record_event(LIMITS_CHANGED, user, request=request, fields=", ".join(names))
