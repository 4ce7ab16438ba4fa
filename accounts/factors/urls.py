"""Addresses of factors. The names are allauth's, which redirects to them; allauth's own pages have
no addresses."""

from __future__ import annotations

from django.conf import settings
from django.urls import path

from accounts.factors import account_rows, passkey_views, sign_in_views, views  # noqa: F401

urlpatterns = [
    path("", views.factors_page, name="mfa_index"),
    path("sign-in/", sign_in_views.sign_in_step, name="mfa_authenticate"),
    path("confirm/", sign_in_views.confirm_with_code, name="mfa_reauthenticate"),
    path("app/add/", views.add_app, name="mfa_activate_totp"),
    path("app/remove/", views.remove_app, name="mfa_deactivate_totp"),
    path("recovery-codes/", views.recovery_codes_page, name="mfa_generate_recovery_codes"),
    path("passkeys/add/", passkey_views.add_passkey, name="mfa_add_webauthn"),
    path("passkeys/sign-in/", sign_in_views.sign_in_with_passkey, name="mfa_login_webauthn"),
    path(
        "passkeys/confirm/",
        sign_in_views.confirm_with_passkey,
        name="mfa_reauthenticate_webauthn",
    ),
    path("passkeys/<int:pk>/rename/", passkey_views.rename_passkey, name="mfa_edit_webauthn"),
    path("passkeys/<int:pk>/remove/", passkey_views.remove_passkey, name="mfa_remove_webauthn"),
]
if settings.MFA_PASSKEY_SIGNUP_ENABLED:
    urlpatterns.append(
        path("passkeys/sign-up/", passkey_views.sign_up_with_passkey, name="mfa_signup_webauthn")
    )
