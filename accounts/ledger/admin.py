"""The usage of people for administrators: a report over the ledger, to read only."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.admin_guard import ReportMixin
from accounts.audit.events import record_event
from accounts.audit.export import make_cell
from accounts.audit.kinds import register_kind
from accounts.ledger.models import LedgerEntry
from accounts.ledger.report import (
    COLUMN_LABELS,
    GROUPINGS,
    SUM_LABELS,
    UsageFilter,
    list_months,
    read_filter,
    sum_all,
    sum_rows,
)

USAGE_EXPORTED = register_kind("usage.exported", _("Exported the usage of people"))
MAX_SHOWN_ROWS = 200
MAX_EXPORTED_ROWS = 50_000


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReportMixin, admin.ModelAdmin):
    """The usage of people, added up."""

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(require_POST(self.export_view))
        return [path("export/", page, name="accounts_ledgerentry_export"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        chosen = read_filter(request.GET)
        rows = sum_rows(chosen, MAX_SHOWN_ROWS + 1)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Usage"),
            "chosen": chosen,
            "months": list_months(),
            "groupings": {name: label for name, (label, _columns) in GROUPINGS.items()},
            "labels": _list_labels(chosen),
            "name_count": len(chosen.columns),
            "rows": rows[:MAX_SHOWN_ROWS],
            "totals": sum_all(chosen),
            "is_cut": len(rows) > MAX_SHOWN_ROWS,
        }
        return TemplateResponse(request, "admin/accounts/usage.html", context)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        chosen = read_filter(request.POST)
        rows = sum_rows(chosen, MAX_EXPORTED_ROWS)
        file = StringIO()
        table = csv.writer(file)
        table.writerow(_list_labels(chosen))
        table.writerows([make_cell(cell) for cell in row] for row in rows)
        record_event(USAGE_EXPORTED, request=request, count=len(rows))
        response = HttpResponse(file.getvalue(), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = 'attachment; filename="usage.csv"'
        response.headers["Cache-Control"] = "no-store, private"
        return response


def _list_labels(chosen: UsageFilter) -> list[str]:
    names = [COLUMN_LABELS[name] for name in chosen.columns]
    return [str(label) for label in (*names, *SUM_LABELS.values())]
