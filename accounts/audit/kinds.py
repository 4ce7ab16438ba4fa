"""The kinds of audit events. Another part of the product registers its own with `register_kind`."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class EventKind:
    """The name is stored, the label is shown. `names_people` shows the person of the account which
    administrators did it; otherwise they are “an administrator”."""

    name: str
    label: str | Promise
    names_people: bool = False


EVENT_KINDS: dict[str, EventKind] = {}
"""All registered kinds, by name."""


def register_kind(name: str, label: str | Promise, *, names_people: bool = False) -> EventKind:
    """The name is `area.event`, such as `key.saved`. Raises ValueError if it exists already."""
    if name in EVENT_KINDS:
        raise ValueError(f"The kind {name} is registered twice.")
    EVENT_KINDS[name] = kind = EventKind(name, label, names_people)
    return kind


SIGNED_IN = register_kind("account.signed_in", _("Signed in"))
SIGNED_OUT = register_kind("account.signed_out", _("Signed out"))
PASSWORD_CHANGED = register_kind("password.changed", _("Changed the password"))
PASSWORD_RESET = register_kind("password.reset", _("Reset the password by mail"))
ADDRESS_ADDED = register_kind("address.added", _("Added an email address"))
ADDRESS_CONFIRMED = register_kind("address.confirmed", _("Confirmed an email address"))
ADDRESS_CHANGED = register_kind("address.changed", _("Changed the primary email address"))
ADDRESS_REMOVED = register_kind("address.removed", _("Removed an email address"))
DEACTIVATED = register_kind("account.deactivated", _("Deactivated the account"))
REACTIVATED = register_kind("account.reactivated", _("Activated the account again"))
RIGHTS_CHANGED = register_kind("account.rights_changed", _("Changed the rights of the account"))
ADMINISTRATOR_CREATED = register_kind(
    "account.administrator_created", _("Created the account of an administrator")
)
SETTINGS_CHANGED = register_kind("account.settings_changed", _("Changed a setting"))
RETENTION_CHANGED = register_kind("retention.changed", _("Changed how long chats are kept"))
DELETION_REQUESTED = register_kind("deletion.requested", _("Asked to delete the account"))
DELETION_COMPLETED = register_kind("deletion.completed", _("The account was deleted"))
KEY_SAVED = register_kind("key.saved", _("Saved a key"))
KEY_REMOVED = register_kind("key.removed", _("Removed a key"))
ADMIN_ADDED = register_kind("admin.added", _("Added in the administration"))
ADMIN_CHANGED = register_kind("admin.changed", _("Changed in the administration"))
ADMIN_DELETED = register_kind("admin.deleted", _("Deleted in the administration"))
EVENTS_EXPORTED = register_kind("audit.exported", _("Exported audit events"))
