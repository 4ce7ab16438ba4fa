"""The audit events in the admin: a list that nobody can change, and its export."""

from __future__ import annotations

from io import StringIO
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.admin_guard import ReadOnlyMixin
from accounts.audit.events import record_event
from accounts.audit.export import FORMATS, write_events
from accounts.audit.kinds import EVENT_KINDS, EVENTS_EXPORTED
from accounts.models import AuditEvent

MAX_EXPORTED_EVENTS = 50_000
"""The newest ones. `manage.py export_audit` writes all."""


class KindFilter(admin.SimpleListFilter):
    """The registered kinds, without a query over all events."""

    title = _("event")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return sorted((kind.name, kind.label) for kind in EVENT_KINDS.values())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyMixin, admin.ModelAdmin):
    list_display = ["created_at", "label", "account_id", "actor_id", "ip", "facts"]
    list_filter = [KindFilter, "created_at"]
    date_hierarchy = "created_at"
    search_fields = ["account_id__exact", "actor_id__exact"]
    search_help_text = _("The number of an account: events about it, and events by it")
    show_full_result_count = False
    change_list_template = "admin/audit_events.html"

    @admin.display(description=_("event"), ordering="kind")
    def label(self, event: AuditEvent) -> str:
        kind = EVENT_KINDS.get(event.kind)
        return str(kind.label) if kind else event.kind

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(require_POST(self.export_view))
        return [path("export/", page, name="accounts_auditevent_export"), *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        format = request.POST.get("format", "")
        if format not in FORMATS:
            return HttpResponse(status=400)
        file = StringIO()
        newest = AuditEvent.objects.order_by("-id")[:MAX_EXPORTED_EVENTS]
        count = write_events(newest.iterator(), format, file)
        record_event(EVENTS_EXPORTED, request=request, count=count)
        kind = "text/csv" if format == "csv" else "application/x-ndjson"
        response = HttpResponse(file.getvalue(), content_type=f"{kind}; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="audit.{format}"'
        response.headers["Cache-Control"] = "no-store, private"
        return response
