"""Every address of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from accounts import admin_guard, allauth_views
from accounts.too_many_requests import respond_too_many_requests
from chat.api.api import api
from chat.doors.registry import load_doors
from config import error_views, translations

# The admin's own pages for signing in and for a new password have no rate limit; the site's do.
admin.autodiscover()
admin.site.site_header = admin.site.site_title = "Holdfast"
admin.site.login = allauth_views.admin_login  # type: ignore[method-assign]
admin.site.password_change = allauth_views.admin_password_change  # type: ignore[method-assign,assignment]
admin.site.admin_view = admin_guard.check_names_before(admin.site.admin_view)  # type: ignore[method-assign]

urlpatterns = [
    # The admin's short address of a row would redirect to the row's page, and ours have none.
    path("admin/r/<path:row>", error_views.raise_not_found),
    path("admin/", admin.site.urls),
    path("accounts/2fa/", include("accounts.factors.urls")),
    path("accounts/", include(allauth_views.urlpatterns)),  # before allauth's, which they replace
    path("accounts/", include("allauth.account.urls")),
    path("accounts/", include("accounts.social.urls")),
    path("settings/", include("accounts.urls")),
    *(path((door.base or door.path).lstrip("/"), include(door.urls)) for door in load_doors()),
    path("api/", api.urls),
    path("translations/<slug:language>.js", translations.script_catalog, name="script-catalog"),
    path("", include("chat.urls")),
]

handler400 = error_views.bad_request
handler403 = error_views.permission_denied
handler404 = error_views.page_not_found
handler429 = respond_too_many_requests  # allauth looks for it here
handler500 = error_views.server_error
