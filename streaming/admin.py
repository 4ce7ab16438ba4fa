"""Read-only lists of streams and workers. Chunks are read through the journal alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.http import HttpRequest

from streaming.models import Stream, Worker


class ReadOnlyAdmin(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    list_display = ["uuid", "owner", "state", "next_index", "attempts", "created_at", "ended_at"]
    list_filter = ["state", "source"]
    list_select_related = ["owner"]
    search_fields = ["uuid", f"owner__{get_user_model().USERNAME_FIELD}"]
    ordering = ["-id"]


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    list_display = ["id", "name", "started_at", "lease_until"]
    ordering = ["-started_at"]
