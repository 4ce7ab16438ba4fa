"""Streams and workers in the admin: their state, and a way to stop a stream. The arguments of a
stream and the words of errors may hold content, so no page shows them. Chunks are read through the
journal alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from streaming import lifecycle
from streaming.models import Stream, StreamQuerySet, Worker


class ReadOnlyAdmin(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ActivityFilter(admin.SimpleListFilter):
    title = _("activity")
    parameter_name = "activity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("unfinished", _("Running or waiting")), ("ended", _("Ended"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Stream]) -> QuerySet[Stream]:
        match self.value():
            case "unfinished":
                return queryset.filter(ended_at=None)
            case "ended":
                return queryset.exclude(ended_at=None)
        return queryset


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    list_display = [
        "uuid",
        "owner",
        "source",
        "state",
        "error_class",
        "length",
        "attempts",
        "created_at",
        "ended_at",
    ]
    list_filter = [ActivityFilter, "state", "source", "error_class"]
    list_select_related = ["owner"]
    search_fields = ["uuid", f"owner__{get_user_model().USERNAME_FIELD}"]
    ordering = ["-id"]
    show_full_result_count = False
    fields = [
        "uuid",
        "owner",
        "source",
        "lane",
        "pool",
        "size",
        "state",
        "epoch",
        "worker",
        "attempts",
        "next_index",
        "length",
        "error_class",
        "finish_reason",
        "usage",
        "created_at",
        "claimed_at",
        "first_chunk_at",
        "last_chunk_at",
        "ended_at",
        "folded_at",
    ]
    actions = ["stop_streams"]

    @admin.action(description=_("Stop selected streams"), permissions=["stop"])
    def stop_streams(self, request: HttpRequest, queryset: StreamQuerySet) -> None:
        """The text that was written stays, as when the owner stops it."""
        stopped = 0
        for stream in queryset.unfinished():
            if lifecycle.stop(stream.pk):
                stopped += 1
                self.log_change(request, stream, _("Stopped."))
        sentence = ngettext("%(count)d stream stopped.", "%(count)d streams stopped.", stopped)
        messages.success(request, sentence % {"count": stopped})

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("streaming.change_stream")


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    list_display = ["id", "name", "started_at", "lease_until", "draining"]
    ordering = ["-started_at"]
