"""Accounts and keys for administrators. An administrator sees no more of a key than its owner: it
can be neither read nor entered here."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.admin import EmailAddressAdmin as AllauthEmailAddressAdmin
from allauth.account.models import EmailAddress
from allauth.mfa.admin import Authenticator
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_guard import DateHierarchyMixin, ReauthenticationMixin
from accounts.audit.admin import AuditEventAdmin as AuditEventAdmin
from accounts.audit.events import record_event
from accounts.audit.kinds import (
    DEACTIVATED,
    KEY_REMOVED,
    PASSWORD_CHANGED,
    REACTIVATED,
    RIGHTS_CHANGED,
)
from accounts.connections.admin import ConnectionAdmin as ConnectionAdmin
from accounts.deletion.admin import DeferredDeletionMixin
from accounts.deletion.erasure import is_deletion_pending
from accounts.email_addresses import list_user_emails
from accounts.factors.reset import reset_factors
from accounts.invitations.admin import InvitationAdmin as InvitationAdmin
from accounts.ledger.admin import LedgerEntryAdmin as LedgerEntryAdmin
from accounts.models import ApiKey, User
from accounts.social import admin as social_admin  # noqa: F401 - it registers linked accounts

admin.site.unregister([Group, EmailAddress])
# Its pages would show the sealed secrets of apps and the hashes of recovery codes.
admin.site.unregister(Authenticator)


@admin.register(Group)
class GroupAdmin(ReauthenticationMixin, DjangoGroupAdmin):
    """Asks for the password, because a group gives rights to its members."""


@admin.register(EmailAddress)
class EmailAddressAdmin(ReauthenticationMixin, AllauthEmailAddressAdmin):
    """A confirmed address signs in and resets the password. Every change is reported to the
    addresses that the account had before."""

    def save_model(
        self, request: HttpRequest, address: EmailAddress, form: Any, change: bool
    ) -> None:
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

    @admin.action(description=_("Mark selected addresses as confirmed"))
    def make_verified(self, request: HttpRequest, queryset: QuerySet[EmailAddress]) -> None:
        recipients = {one.pk: list_user_emails(one.user) for one in queryset.filter(verified=False)}
        super().make_verified(request, queryset)
        for address in EmailAddress.objects.filter(pk__in=recipients, verified=True):
            _notify_addresses("confirmed", recipients[address.pk], added=address.email)


def _notify_addresses(event: str, addresses: list[str], **context: str) -> None:
    get_adapter().notify_addresses(f"account/email/email_{event}", addresses, context)


RIGHTS_FIELDS = frozenset({"is_staff", "is_superuser", "groups", "user_permissions"})


@admin.register(User)
class UserAdmin(DeferredDeletionMixin, ReauthenticationMixin, DateHierarchyMixin, DjangoUserAdmin):
    list_display = ("email", "name", "is_staff", "is_active", "date_joined", "last_login")
    list_filter = ("is_staff", "is_active", "date_joined")
    search_fields = ("email", "name")
    actions = ("remove_factors",)
    ordering = ("-date_joined",)
    date_hierarchy = "date_joined"
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Person"), {"fields": ("name", "background_replies")}),
        (
            _("Permissions"),
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        (_("Dates"), {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        """The owner changes the address. allauth stores it in a table of its own, with its
        confirmation, and would otherwise accept the old one."""
        dates = ["date_joined", "last_login"]
        if obj is None:
            return dates
        is_pending = is_deletion_pending(obj)
        return ["email", *dates, *(["is_active"] if is_pending else [])]

    def save_model(self, request: HttpRequest, user: User, form: Any, change: bool) -> None:
        super().save_model(request, user, form, change)
        changed = set(form.changed_data)
        if change and "is_active" in changed:
            record_event(REACTIVATED if user.is_active else DEACTIVATED, user, request=request)
        if rights := sorted(changed & RIGHTS_FIELDS):
            record_event(RIGHTS_CHANGED, user, request=request, fields=", ".join(rights))

    @admin.action(description=_("Remove passkeys, authenticator app and recovery codes"))
    def remove_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        count = sum(bool(reset_factors(user, request)) for user in queryset)
        self.message_user(
            request,
            ngettext("Removed for %(count)s person.", "Removed for %(count)s people.", count)
            % {"count": count},
        )

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        """Notify the owner of the password, too."""
        return self._require_reauthentication("user_change_password", request, id, form_url)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        if self._is_password_change(request):
            record_event(PASSWORD_CHANGED, obj, request=request)
            get_adapter().send_notification_mail("account/email/password_changed", obj)
        return super().log_change(request, obj, message)

    def _is_password_change(self, request: HttpRequest) -> bool:
        match = request.resolver_match
        return match is not None and match.url_name == "auth_user_password_change"


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
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
