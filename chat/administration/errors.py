"""How many replies failed lately, by class of error and provider."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Q
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from accounts.admin_guard import ReportMixin
from chat.models import FailedReply, Message
from streaming.models import State, Stream

PERIODS = {"1": _("Last day"), "7": _("Last 7 days"), "30": _("Last 30 days")}
MAX_STREAMS = 50_000
"""The newest streams that are counted, so that the page costs the same for a large table."""


@admin.register(FailedReply)
class FailedReplyAdmin(ReportMixin, admin.ModelAdmin):
    """A row is a message, which no page may show."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        days = request.GET.get("days", "1")
        days = days if days in PERIODS else "1"
        context = {
            **self.admin_site.each_context(request),
            "title": _("Errors of replies"),
            "periods": PERIODS,
            "days": days,
            "rows": count_errors(timedelta(days=int(days))),
            "max_streams": MAX_STREAMS,
        }
        return TemplateResponse(request, "admin/chat/reply_errors.html", context)


def count_errors(period: timedelta) -> list[dict[str, Any]]:
    """By provider, model, state and class of error, the most frequent first. Each row has `count`,
    and `share` of the provider's and model's ended replies in percent."""
    newest = Stream.objects.aggregate(last=Max("id"))["last"] or 0
    ended = Message.objects.filter(
        role=Message.Role.ASSISTANT,
        stream__gt=newest - MAX_STREAMS,
        stream__ended_at__gt=Now() - period,
    )
    failed = Q(stream__state__in=[State.FAILED, State.INTERRUPTED])
    totals = {
        (row["provider"], row["model"]): row["count"]
        for row in ended.order_by().values("provider", "model").annotate(count=Count("id"))
    }
    groups = (
        ended.filter(failed)
        .order_by()
        .values("provider", "model", "stream__state", "stream__error_class")
    )
    rows = groups.annotate(count=Count("id"), last=Max("stream__ended_at")).order_by("-count")
    return [
        {
            **row,
            "state": State(row["stream__state"]).label,
            "error_class": row["stream__error_class"],
            "share": round(100 * row["count"] / totals[row["provider"], row["model"]]),
        }
        for row in rows
    ]
