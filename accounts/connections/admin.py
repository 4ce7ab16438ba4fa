"""Connections for administrators. A key can be entered and replaced, and not be read."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from accounts.api_keys.statuses import KeyStatus
from accounts.audit.events import record_event
from accounts.audit.kinds import EventKind
from accounts.connections.checking import check_connection
from accounts.connections.forms import ConnectionForm
from accounts.connections.kinds import (
    CONNECTION_ADDED,
    CONNECTION_CHANGED,
    CONNECTION_REMOVED,
)
from accounts.connections.models import Connection
from accounts.connections.sealing import clear_key, set_key
from accounts.sealing import SealBroken

CHECKED_FIELDS = {"kind", "address", "key", "remove_key"}
"""A change of one of these is followed by a check."""
FACTS = ("ends_in", "can_be_decrypted", "check_result", "last_checked_at", "models", "last_used_at")


@admin.register(Connection)
class ConnectionAdmin(admin.ModelAdmin):
    form = ConnectionForm
    locks_changed_rows = False  # the form looks up the address of a server
    change_list_template = "admin/accounts/connection/change_list.html"
    list_display = (
        "name",
        "enabled",
        "for_everybody",
        "monthly_dollars",
        "monthly_tokens",
        *FACTS[:3],
        "last_used_at",
    )
    list_filter = ("kind", "enabled")
    filter_horizontal = ("groups",)
    actions = ("check_again",)
    fieldsets = (
        (None, {"fields": ("name", "kind", "address", "key", "remove_key", "enabled")}),
        (_("People"), {"fields": ("for_everybody", "people", "groups")}),
        (_("Limits"), {"fields": ("monthly_dollars", "monthly_tokens")}),
        (_("Key"), {"fields": FACTS}),
    )
    readonly_fields = FACTS

    @admin.display(description=_("ends in"))
    def ends_in(self, connection: Connection) -> str:
        return f"…{connection.last_four}" if connection.has_key else ""

    @admin.display(description=_("can be decrypted"), boolean=True)
    def can_be_decrypted(self, connection: Connection) -> bool | None:
        """Whether the master key that the row names is there. If not, the key has to be entered
        again."""
        return connection.can_be_opened if connection.has_key else None

    @admin.display(description=_("models"))
    def models(self, connection: Connection) -> int:
        return len(connection.listed)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return _hide_key_in_reports(super().changeform_view)(request, *args, **kwargs)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"configured": list_configured_servers(), **(extra_context or {})}
        return super().changelist_view(request, extra_context=context)

    def save_model(
        self, request: HttpRequest, connection: Connection, form: Any, change: bool
    ) -> None:
        values, changed = form.cleaned_data, set(form.changed_data)
        if values["key"]:
            set_key(connection, values["key"])
        elif values["remove_key"]:
            clear_key(connection)
        if changed & {"kind", "address"}:
            connection.listed, connection.left_out, connection.check_result = [], 0, ""
        if change:
            connection.save(update_fields=list_changed_columns(connection, changed))
        else:
            super().save_model(request, connection, form, change)
        kind = CONNECTION_CHANGED if change else CONNECTION_ADDED
        _record(request, kind, connection, changed=" ".join(sorted(changed)))
        if changed & CHECKED_FIELDS:
            # Not within the transaction, because the provider may take seconds to answer.
            transaction.on_commit(partial(_check_and_tell, request, connection))

    def delete_model(self, request: HttpRequest, connection: Connection) -> None:
        _record(request, CONNECTION_REMOVED, connection)
        super().delete_model(request, connection)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        for connection in queryset:
            self.delete_model(request, connection)

    @admin.action(description=_("Check selected connections again"), permissions=["change"])
    def check_again(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        for connection in queryset:
            _check_and_tell(request, connection)


def list_changed_columns(connection: Connection, changed: set[str]) -> list[str]:
    """Only what was entered: a rotation may have sealed the key again since the row was read. If
    somebody moved the connection meanwhile, a key that was entered for the old address can't be
    decrypted for the new one."""
    names = changed & {field.name for field in connection._meta.concrete_fields}
    if changed & {"key", "remove_key"}:
        names |= {"sealed", "master_key_id", "last_four"}
    if changed & {"kind", "address"}:
        names |= {"listed", "left_out", "check_result"}
    return sorted(names)


def _hide_key_in_reports(view: Any) -> Any:
    return sensitive_post_parameters("key")(view)


def _record(
    request: HttpRequest, kind: EventKind, connection: Connection, changed: str = ""
) -> None:
    record_event(
        kind,
        request=request,
        connection=str(connection.pk),
        provider=connection.kind,
        changed=changed,
    )


def _check_and_tell(request: HttpRequest, connection: Connection) -> None:
    try:
        status = check_connection(connection)
    except SealBroken:
        message = _("%(name)s: its key can’t be decrypted any more. Please enter it again.")
        messages.error(request, message % {"name": connection.name})
        return
    level = messages.SUCCESS if status == KeyStatus.VALID else messages.WARNING
    messages.add_message(request, level, f"{connection.name}: {status.label}")


def list_configured_servers() -> list[dict[str, Any]]:
    """The rows of COMPATIBLE_PROVIDERS, without what may be secret in them."""
    return [
        {
            "id": row["id"],
            "name": row.get("name", row["id"]),
            "host": urlsplit(row["url"]).netloc.rpartition("@")[2],
            "needs_key": row.get("needs_key", False),
        }
        for row in settings.COMPATIBLE_PROVIDERS
    ]
