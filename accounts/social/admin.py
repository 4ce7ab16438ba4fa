"""Linked accounts for administrators. Servers and tokens are not in the database."""

from __future__ import annotations

import allauth.socialaccount.admin  # noqa: F401 - it registers what is removed here
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.audit.events import record_event
from accounts.email_addresses import list_user_emails
from accounts.notification_mails import send_notification_mails
from accounts.people.rights import RowsOfPeopleMixin
from accounts.social.events import ACCOUNT_UNLINKED
from accounts.social.linking import get_server_name

admin.site.unregister([SocialAccount, SocialApp, SocialToken])


@admin.register(SocialAccount)
class SocialAccountAdmin(RowsOfPeopleMixin, admin.ModelAdmin):
    """Read-only, and without the name and address at the other server. A deletion is reported to
    the owner, who signs in with it."""

    list_display = ("user", "provider", "date_joined", "last_login")
    list_filter = ("provider",)
    list_select_related = ("user",)
    search_fields = ("user__email", "uid")
    fields = ("user", "provider", "uid", "date_joined", "last_login")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, linked: SocialAccount) -> None:
        owner, server = linked.user, linked.provider
        super().delete_model(request, linked)
        record_event(ACCOUNT_UNLINKED, owner, request=request, server=server)
        context = {"server": get_server_name(server), "timestamp": timezone.now()}
        template = "socialaccount/email/account_disconnected"
        send_notification_mails(template, list_user_emails(owner), context)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[SocialAccount]) -> None:
        for linked in queryset.select_related("user"):
            self.delete_model(request, linked)
