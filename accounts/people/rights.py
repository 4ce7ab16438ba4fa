"""The people whom an administrator may change. Only a superuser changes a person who has rights, or
takes away what such a person has: otherwise staff with one permission could keep a superuser out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest

from accounts.models import User

if TYPE_CHECKING:
    Base = ModelAdmin[Any]
else:
    Base = object


class RowsOfPeopleMixin(Base):
    """For a ModelAdmin whose rows belong to their `user`."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_allowed = super().has_delete_permission(request, obj)
        return is_allowed and (obj is None or may_touch(request, obj.user))


def may_touch(request: HttpRequest, person: User | None) -> bool:
    return person is None or is_superuser(request) or not _has_rights(person)


def is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _has_rights(person: User) -> bool:
    return (
        person.is_staff
        or person.is_superuser
        or person.groups.exists()
        or person.user_permissions.exists()
    )
