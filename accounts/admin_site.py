"""The admin site: each change in it becomes an audit event, and neither that nor Django's own log
of the admin holds the words of a row.

Django's log stores `str` of a row, which may be a title, a text or an address, and outlives the
row. Here it stores the name of the model and the id. Every registered ModelAdmin gets this, also
those of other packages.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.sites import AdminSite
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

from accounts.admin_guard import KnownLookupsMixin, ReauthenticationMixin
from accounts.admin_topics import group_by_topic

if TYPE_CHECKING:
    from accounts.audit.kinds import EventKind
    from accounts.models import User

    Base = ModelAdmin[Any]
else:
    Base = object

OWNER_FIELDS = ("user", "person", "owner")
"""The fields in which rows name their account."""


class AuditedAdminMixin(KnownLookupsMixin, ReauthenticationMixin, Base):
    """Comes before the class of a ModelAdmin. Django calls these methods beside each change."""

    locks_changed_rows = True
    """False for a form that waits for something else, and whose admin saves no whole row."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Lock a row that is about to be changed, and read it under the lock: the form saves the
        whole row, which would undo what others stored since it was read."""
        row = super().get_object(request, object_id, from_field)
        if row is None or not self._must_lock(request, row):
            return row
        self.lock_row(row)
        return super().get_object(request, object_id, from_field)

    def _must_lock(self, request: HttpRequest, row: Any) -> bool:
        match = request.resolver_match
        page = f"{self.opts.app_label}_{self.opts.model_name}_change"
        return (
            self.locks_changed_rows
            and request.method == "POST"
            and match is not None
            and match.url_name == page
            and self.has_change_permission(request, row)
        )

    def lock_row(self, row: Any) -> None:
        rows = self.model._base_manager.select_for_update(no_key=True)
        rows.filter(pk=row.pk).values_list("pk").first()

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        entry = super().log_addition(request, obj, remove_texts(message))
        _record(request, "added", [entry], [obj])
        return entry

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        entry = super().log_change(request, obj, remove_texts(message))
        _record(request, "changed", [entry], [obj])
        return entry

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Any]) -> Any:
        rows = list(queryset)
        entries = super().log_deletions(request, rows)  # type: ignore[arg-type]
        _record(request, "deleted", entries, rows)
        return entries


class AuditedAdminSite(AdminSite):
    def register(
        self, model_or_iterable: Any, admin_class: type[Any] | None = None, **options: Any
    ) -> None:
        base = admin_class or ModelAdmin
        if not issubclass(base, AuditedAdminMixin):
            # `media` and checks name the module of the class.
            base = type(base.__name__, (AuditedAdminMixin, base), {"__module__": base.__module__})
        super().register(model_or_iterable, base, **options)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        return (
            apps
            if app_label
            else group_by_topic(apps, reverse("admin:index", current_app=self.name))
        )


def describe_row(row: Model) -> str:
    return f"{row._meta.verbose_name} {row.pk}"


def remove_texts(message: Any) -> Any:
    """Remove the texts of rows from a message of Django's log; the names of models and fields
    remain. A message in words is our own, and may be lazy."""
    if not isinstance(message, list):
        return str(message)
    return [
        {action: {key: value for key, value in part.items() if key != "object"}}
        for entry in message
        for action, part in entry.items()
    ]


def _record(
    request: HttpRequest, action: str, entries: Sequence[LogEntry], rows: Sequence[Model]
) -> None:
    # The models can't be loaded with this module, which the app of the admin names.
    from accounts.audit import kinds
    from accounts.audit.events import record_event

    kind: EventKind = {
        "added": kinds.ADMIN_ADDED,
        "changed": kinds.ADMIN_CHANGED,
        "deleted": kinds.ADMIN_DELETED,
    }[action]
    for entry, row in zip(entries, rows, strict=True):
        LogEntry.objects.filter(pk=entry.pk).update(object_repr=describe_row(row)[:200])
        record_event(
            kind,
            _find_account(row),
            request=request,
            model=row._meta.label_lower,
            object=str(row.pk),
            fields=_list_fields(entry),
        )


def _find_account(row: Model) -> User | None:
    from accounts.models import User

    candidates = [row, *(getattr(row, name, None) for name in OWNER_FIELDS)]
    return next((found for found in candidates if isinstance(found, User)), None)


def _list_fields(entry: LogEntry) -> str:
    try:
        parts = [part for action in _load_message(entry) for part in action.values()]
    except (ValueError, AttributeError):
        return ""
    return ", ".join(str(field) for part in parts for field in part.get("fields", ()))


def _load_message(entry: LogEntry) -> list[dict[str, Any]]:
    loaded = json.loads(entry.change_message or "[]")
    return loaded if isinstance(loaded, list) else []
