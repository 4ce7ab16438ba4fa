"""Addresses of Holdfast's own account settings."""

from __future__ import annotations

from django.urls import path

from accounts import preferences
from accounts.account_page.views import account_page
from accounts.api_keys import views
from accounts.own_data.activity import activity_page
from accounts.own_data.deletion_page import account_deletion_begun_page, account_deletion_page
from accounts.sessions.devices_page import end_sessions, sessions_page
from accounts.social.linking import linked_accounts_page
from accounts.tokens.views import revoke_token, tokens_page

urlpatterns = [
    path("account/", account_page, name="account"),
    path("linked-accounts/", linked_accounts_page, name="socialaccount_connections"),
    path("sessions/", sessions_page, name="sessions"),
    path("sessions/end/", end_sessions, name="session-end"),
    path("tokens/", tokens_page, name="tokens"),
    path("tokens/revoke/", revoke_token, name="token-revocation"),
    path("replies/", preferences.reply_preferences_page, name="replies"),
    path("data/activity/", activity_page, name="activity"),
    path("data/deletion/", account_deletion_page, name="account-deletion"),
    path("data/deletion/begun/", account_deletion_begun_page, name="account-deletion-begun"),
    path("keys/", views.keys_page, name="keys"),
    path("keys/<slug:provider>/", views.save_key, name="key"),
    path("keys/<slug:provider>/check/", views.recheck_key, name="key-check"),
    path("keys/<slug:provider>/remove/", views.remove_key, name="key-removal"),
]
