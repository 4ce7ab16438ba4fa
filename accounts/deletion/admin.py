"""Deletes accounts in the admin the way their owners delete them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from accounts.deletion.erasure import (
    LastAdministrator,
    request_deletion,
    require_other_administrator,
)
from accounts.models import User

if TYPE_CHECKING:
    Base = ModelAdmin[User]
else:
    Base = object


class DeferredDeletionMixin(Base):
    """For the ModelAdmin of users. The confirmation lists no rows: an account may have many, and
    they have titles and texts."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        users: Iterable[User] = list(objs)
        shown = [_("%(user)s, with all chats, keys and settings") % {"user": u} for u in users]
        counts = {User._meta.verbose_name_plural: len(shown)}
        missing = (
            set()
            if all(self.has_delete_permission(request, u) for u in users)
            else {User._meta.verbose_name}
        )
        return shown, counts, missing, _list_refusals(users)

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        assert isinstance(request.user, User)
        try:
            request_deletion(obj, actor=request.user, request=request)
        except LastAdministrator as refusal:
            self.message_user(request, str(refusal), messages.ERROR)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            self.delete_model(request, user)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        text = _("%(user)s is signed out, and is deleted within a few minutes.")
        self.message_user(request, text % {"user": obj_display}, messages.SUCCESS)
        return redirect("admin:accounts_user_changelist")


def _list_refusals(users: Iterable[User]) -> list[str]:
    """The page of the confirmation shows them instead of its button."""
    try:
        require_other_administrator(*users)
    except LastAdministrator as refusal:
        return [str(refusal)]
    return []
