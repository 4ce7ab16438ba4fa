"""Accounts and keys for administrators. An administrator sees no more of a key than its owner: it
can be neither read nor entered here."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.admin import EmailAddressAdmin as AllauthEmailAddressAdmin
from allauth.account.models import EmailAddress
from allauth.mfa.admin import Authenticator
from allauth.usersessions.admin import UserSession
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.admin_guard import SuperusersOnlyMixin
from accounts.audit.admin import AuditEventAdmin as AuditEventAdmin
from accounts.audit.events import record_event
from accounts.audit.kinds import KEY_REMOVED
from accounts.connections.admin import ConnectionAdmin as ConnectionAdmin
from accounts.email_addresses import is_email_taken, list_user_emails
from accounts.invitations.admin import InvitationAdmin as InvitationAdmin
from accounts.ledger.admin import LedgerEntryAdmin as LedgerEntryAdmin
from accounts.models import ApiKey
from accounts.people.addresses import (
    AddressTakenMixin,
    EmailAddressForm,
    describe_taken_address,
)
from accounts.people.admin import UserAdmin as UserAdmin
from accounts.people.rights import RowsOfPeopleMixin
from accounts.sign_up import lock_address, lock_sign_up
from accounts.social import admin as social_admin  # noqa: F401 - it registers linked accounts
from accounts.tokens.admin import AccessTokenAdmin as AccessTokenAdmin

admin.site.unregister([Group, EmailAddress])
# Their pages would show the sealed secrets of apps, the hashes of recovery codes, and the keys of
# sessions, each of which signs in.
admin.site.unregister([Authenticator, UserSession])


@admin.register(Group)
class GroupAdmin(SuperusersOnlyMixin, DjangoGroupAdmin):
    """Asks for the password, because a group gives rights to its members."""


@admin.register(EmailAddress)
class EmailAddressAdmin(SuperusersOnlyMixin, AddressTakenMixin, AllauthEmailAddressAdmin):
    """A confirmed address signs in and resets the password. Every change is reported to the
    addresses that the account had before."""

    form = EmailAddressForm

    def save_model(
        self, request: HttpRequest, address: EmailAddress, form: Any, change: bool
    ) -> None:
        if address.verified:
            lock_address(address.email, exclude=address.user)
        before = EmailAddress.objects.filter(pk=address.pk).first()
        recipients = list_user_emails(address.user) + (
            list_user_emails(before.user) if before else []
        )
        super().save_model(request, address, form, change)
        if before and (before.email, before.user) != (address.email, address.user):
            _notify_addresses("deleted", recipients, deleted_email=before.email)
            before = None
        if before is None or before.verified != address.verified:
            _notify_addresses(
                "confirmed" if address.verified else "added", recipients, added=address.email
            )

    def delete_model(self, request: HttpRequest, address: EmailAddress) -> None:
        recipients = list_user_emails(address.user)
        super().delete_model(request, address)
        _notify_addresses("deleted", recipients, deleted_email=address.email)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> None:
        for address in queryset:
            self.delete_model(request, address)

    @admin.action(description=_("Mark selected addresses as confirmed"), permissions=["change"])
    def make_verified(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> None:
        with transaction.atomic():
            lock_sign_up()
            unverified = list(queryset.filter(verified=False).select_related("user"))
            taken = {one.pk for one in unverified if is_email_taken(one.email, exclude=one.user)}
            recipients = {
                one.pk: list_user_emails(one.user) for one in unverified if one.pk not in taken
            }
            super().make_verified(request, queryset.filter(pk__in=recipients))
        if taken:
            messages.error(request, describe_taken_address())
        for address in EmailAddress.objects.filter(pk__in=recipients, verified=True):
            _notify_addresses("confirmed", recipients[address.pk], added=address.email)


def _notify_addresses(event: str, addresses: list[str], **context: str) -> None:
    get_adapter().notify_addresses(f"account/email/email_{event}", addresses, context)


@admin.register(ApiKey)
class ApiKeyAdmin(RowsOfPeopleMixin, admin.ModelAdmin):
    list_display = (
        "user",
        "provider",
        "ends_in",
        "created_at",
        "last_used_at",
        "check_result",
        "master_key_id",
        "can_be_decrypted",
    )
    list_filter = ("provider", "master_key_id", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    fields = (
        "user",
        "provider",
        "ends_in",
        "created_at",
        "last_used_at",
        "last_checked_at",
        "check_result",
        "master_key_id",
        "can_be_decrypted",
    )

    @admin.display(description=_("ends in"), ordering="last_four")
    def ends_in(self, key: ApiKey) -> str:
        return f"…{key.last_four}"

    @admin.display(description=_("can be decrypted"), boolean=True)
    def can_be_decrypted(self, key: ApiKey) -> bool:
        """Whether the master key that the row names is there. If not, the owner is asked for the
        key again."""
        return key.can_be_opened

    def delete_model(self, request: HttpRequest, key: ApiKey) -> None:
        record_event(KEY_REMOVED, key.user, request=request, provider=key.provider)
        super().delete_model(request, key)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset.select_related("user"):
            self.delete_model(request, key)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False
