"""Admin pages that can change the owner of an account need the administrator's password again.
Lists by date accept any date, and malformed names of fields and rows get 400."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import TO_FIELD_VAR, IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from accounts.allauth_views import has_recent_confirmation, redirect_to_reauthenticate

AdminView = Callable[..., Any]


def check_names_before(admin_view: AdminView) -> AdminView:
    """Wrap `AdminSite.admin_view`, so that every view of a model checks the names that it gets."""

    def build_view(view: AdminView, cacheable: bool = False) -> AdminView:
        model_admin = getattr(view, "__self__", None)
        if not isinstance(model_admin, ModelAdmin):
            return admin_view(view, cacheable)

        @wraps(view)
        def checked_view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            _require_valid_names(request, model_admin.model)
            return view(request, *args, **kwargs)

        return admin_view(checked_view, cacheable)

    return build_view


def _require_valid_names(request: HttpRequest, model: type[Model]) -> None:
    """Django checks every name of a field but an empty one, and looks selected rows up by any
    value. Both would be server errors."""
    if "" in (request.GET.get(TO_FIELD_VAR), request.POST.get(TO_FIELD_VAR)):
        raise BadRequest("The name of a field is empty.")
    for value in request.POST.getlist(ACTION_CHECKBOX_NAME):
        try:
            model._meta.pk.to_python(value)
        except ValidationError as error:
            raise BadRequest("The id of a selected row is invalid.") from error


class DatedChangeList(ChangeList):
    """Treats an impossible date as Django treats any other invalid filter."""

    def get_filters(self, request: HttpRequest) -> Any:
        try:
            return super().get_filters(request)
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(error) from error


class DateHierarchyMixin:
    """For a ModelAdmin with a `date_hierarchy`."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DatedChangeList


class ReauthenticationMixin:
    """For a ModelAdmin. Adding, changing and deleting ask for the password first, before a form is
    filled in. Lists can be read without it."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._require_reauthentication("changeform_view", request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._require_reauthentication("delete_view", request, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return super().changelist_view(request, *args, **kwargs)  # type: ignore[misc]
        return self._require_reauthentication("changelist_view", request, *args, **kwargs)

    def _require_reauthentication(
        self, view_name: str, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if request.user.is_authenticated and not has_recent_confirmation(request):
            return redirect_to_reauthenticate(request, request.get_full_path())
        response: HttpResponse = getattr(super(), view_name)(request, *args, **kwargs)
        return response


class SuperusersOnlyMixin:
    """For a ModelAdmin whose rows give rights or accounts away. Others with its permissions can
    read the rows; if they could change them, they could make themselves superusers."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._is_superuser(request) and super().has_add_permission(request)  # type: ignore[misc]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_superuser(request) and super().has_change_permission(request, obj)  # type: ignore[misc]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_superuser(request) and super().has_delete_permission(request, obj)  # type: ignore[misc]

    def _is_superuser(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False))
