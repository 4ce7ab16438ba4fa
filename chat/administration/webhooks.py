"""The webhooks of all people, for administrators."""

from __future__ import annotations

from django.contrib import admin

from chat.models import Webhook
from streaming.admin import ReadOnlyAdmin


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    """Facts alone, and nothing to change. An address is the person's own text, and may contain a
    password."""

    list_display = ("id", "user", "is_active", "created_at", "claimed_until", "resting_until")
    list_filter = ("is_active", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    fields = list_display
    readonly_fields = fields
