"""Webhooks for administrators: what there is."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from chat.models import Webhook


@admin.register(Webhook)
class WebhookAdmin(admin.ModelAdmin):
    """Facts alone, and nothing to change. An address is the person's own text, and may contain a
    password."""

    list_display = ("id", "user", "is_active", "created_at", "claimed_until", "resting_until")
    list_filter = ("is_active", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    fields = list_display
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
