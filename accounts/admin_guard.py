"""Admin pages that can change the owner of an account need the administrator's password again.
Lists by date accept any date."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse

from accounts.allauth_views import has_recent_password, redirect_to_reauthenticate


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
        if request.user.is_authenticated and not has_recent_password(request):
            return redirect_to_reauthenticate(request, request.get_full_path())
        response: HttpResponse = getattr(super(), view_name)(request, *args, **kwargs)
        return response
