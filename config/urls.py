"""Every address of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from accounts import ownership
from config import errors

# The admin's own pages for signing in and for a new password know no rate limit; the site's do.
admin.autodiscover()
admin.site.site_header = admin.site.site_title = "Holdfast"
admin.site.login = ownership.admin_login  # type: ignore[method-assign]
admin.site.password_change = ownership.admin_password_change  # type: ignore[method-assign,assignment]

urlpatterns = [
    path("admin/r/<path:row>", errors.nothing_there),  # the row's own page: no row has one
    path("admin/", admin.site.urls),
    path("accounts/", include(ownership.urlpatterns)),  # before those that they replace
    path("accounts/", include("allauth.account.urls")),
    path("settings/", include("accounts.urls")),
    path("", include("chat.urls")),
]

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.page_not_found
handler500 = errors.server_error
