"""Every address of the site."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from config.health import healthz

# The admin's own log-in page knows no rate limit; the site's does.
admin.autodiscover()
admin.site.site_header = admin.site.site_title = "Holdfast"
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

handler400 = "config.errors.bad_request"
handler500 = "config.errors.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.account.urls")),
    path("settings/", include("accounts.urls")),
    path("healthz", healthz, name="healthz"),
    path("", include("chat.urls")),
]
