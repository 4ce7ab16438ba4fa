"""Changes in the admin need the administrator's password again. Lists are filtered only by what
their pages offer, accept any date, and malformed names of fields and rows get 400."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib.admin import FieldListFilter, ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import TO_FIELD_VAR, IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Model
from django.http import Http404, HttpRequest

from accounts.allauth_views import has_recent_confirmation, redirect_to_reauthenticate

if TYPE_CHECKING:
    Base = ModelAdmin[Any]
else:
    Base = object

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


class StrictChangeList(ChangeList):
    """Treats an impossible date as Django treats any other invalid filter."""

    def get_filters(self, request: HttpRequest) -> Any:
        try:
            return super().get_filters(request)
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(error) from error

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
        except OverflowError as error:  # SQLite converts dates when it counts the rows
            raise IncorrectLookupParameters(error) from error


class KnownLookupsMixin(Base):
    """For every ModelAdmin. Django filters a list by each field of its model, also by those that no
    page shows. `?title__startswith=` would tell a title letter by letter. Here a list takes the
    filters that its page offers, and answers 400 to others."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        assert request is not None  # Django passes it
        return lookup in self._list_offered_lookups(request)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return StrictChangeList

    def _list_offered_lookups(self, request: HttpRequest) -> set[str]:
        day = self.date_hierarchy
        offered = {f"{day}__{unit}" for unit in ("year", "month", "day")} if day else set()
        for item in self.get_list_filter(request):
            offered.update(_list_parameters(item, request, self))
        return offered


def _list_parameters(item: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
    """The parameters of an item of `list_filter`, which Django builds in the same way."""
    model = model_admin.model
    if callable(item):
        return list(item(request, {}, model, model_admin).expected_parameters())
    path, build = item if isinstance(item, (tuple, list)) else (item, FieldListFilter.create)
    field = get_fields_from_path(model, path)[-1]
    spec = build(field, request, {}, model, model_admin, field_path=path)
    return list(spec.expected_parameters())


class ReauthenticationMixin(Base):
    """For every ModelAdmin. Adding, changing, deleting and actions ask for the password first,
    before a form is filled in. Lists, and rows that the person can't change, can be read without
    it."""

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        has_form = self.has_change_permission if object_id else self.has_add_permission
        view = super().changeform_view
        if request.method == "POST" or has_form(request):
            view = confirm_before(view)
        return view(request, object_id, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return confirm_before(super().delete_view)(request, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        view = super().changelist_view
        if request.method == "POST":
            view = confirm_before(view)
        return view(request, *args, **kwargs)


def confirm_before(view: AdminView) -> AdminView:
    """Let the person confirm who it is before this view runs."""

    @wraps(view)
    def confirmed_view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated and not has_recent_confirmation(request):
            return redirect_to_reauthenticate(request, request.get_full_path())
        return view(request, *args, **kwargs)

    return confirmed_view


class SuperusersOnlyMixin(Base):
    """For a ModelAdmin whose rows give rights or accounts away. Others with its permissions can
    read the rows; if they could change them, they could make themselves superusers."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._is_superuser(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_superuser(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_superuser(request) and super().has_delete_permission(request, obj)

    def _is_superuser(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False))


class ReadOnlyMixin(Base):
    """For a ModelAdmin whose rows nobody adds, changes or deletes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReportMixin(ReadOnlyMixin):
    """For a ModelAdmin that shows sums and no rows. Django would give each row a page with all
    fields of the model, which may be content."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        raise Http404

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        raise Http404

    def history_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        raise Http404
