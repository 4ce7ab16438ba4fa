"""Addresses of sign-ins with other servers. The names are allauth's."""

from __future__ import annotations

from django.urls import path

from accounts.social import views
from accounts.social.confirming import confirmation_page

GITHUB = {"provider_id": "github", "kind": "github"}
OPENID = {"kind": "openid_connect"}

urlpatterns = [
    path("github/login/", views.start_sign_in, GITHUB, name="github_login"),
    path("github/login/callback/", views.finish_sign_in, GITHUB, name="github_callback"),
    path(
        "oidc/<slug:provider_id>/login/", views.start_sign_in, OPENID, name="openid_connect_login"
    ),
    path(
        "oidc/<slug:provider_id>/login/callback/",
        views.finish_sign_in,
        OPENID,
        name="openid_connect_callback",
    ),
    path("3rdparty/confirm/", confirmation_page, name="socialaccount_confirmation"),
    path("3rdparty/signup/", views.sign_up, name="socialaccount_signup"),
    path("3rdparty/login/cancelled/", views.cancelled, name="socialaccount_login_cancelled"),
]
