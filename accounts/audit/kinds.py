"""The kinds of audit events. Another part of the product registers its own with `register_kind`."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class EventKind:
    """The name is stored, the label is shown."""

    name: str
    label: str | Promise


EVENT_KINDS: dict[str, EventKind] = {}
"""All registered kinds, by name."""


def register_kind(name: str, label: str | Promise) -> EventKind:
    """The name is `area.event`, such as `key.saved`. Raises ValueError if it exists already."""
    if name in EVENT_KINDS:
        raise ValueError(f"The kind {name} is registered twice.")
    EVENT_KINDS[name] = kind = EventKind(name, label)
    return kind


KEY_SAVED = register_kind("key.saved", _("Saved a key"))
KEY_REMOVED = register_kind("key.removed", _("Removed a key"))
