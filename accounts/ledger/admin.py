"""The ledger for administrators: to read only."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from accounts.ledger.models import LedgerEntry


@admin.register(LedgerEntry)
class LedgerEntryAdmin(admin.ModelAdmin):
    list_display = (
        "month",
        "user",
        "connection_id",
        "provider",
        "model",
        "replies",
        "titles",
        "input_tokens",
        "output_tokens",
        "cost",
        "estimated",
        "unpriced",
    )
    list_filter = ("month", "provider", "connection_id")
    list_select_related = ("user",)
    search_fields = ("user__email", "model")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: LedgerEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LedgerEntry | None = None) -> bool:
        return False
