"""The rows of factors on the account page."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.account_page.rows import AccountRow, register_row
from accounts.decorators import UserRequest
from accounts.factors.passkeys import list_passkeys
from accounts.factors.recovery_codes import count_recovery_codes
from accounts.factors.views import find_app, has_factor


@register_row("passkeys")
def build_passkeys_row(request: UserRequest) -> AccountRow:
    count = len(list_passkeys(request.user))
    status = ngettext("%(count)s passkey", "%(count)s passkeys", count) % {"count": count}
    return AccountRow(
        _("Passkeys"), status if count else _("None"), reverse("mfa_index"), _("Change")
    )


@register_row("authenticator")
def build_app_row(request: UserRequest) -> AccountRow:
    has_app = find_app(request.user) is not None
    return AccountRow(
        _("Authenticator app"),
        _("Set up") if has_app else _("None"),
        reverse("mfa_index" if has_app else "mfa_activate_totp"),
        _("Change") if has_app else _("Set up"),
    )


@register_row("recovery-codes")
def build_codes_row(request: UserRequest) -> AccountRow | None:
    """They come with the first passkey or app."""
    if not has_factor(request.user):
        return None
    count = count_recovery_codes(request.user)
    status = ngettext("%(count)s unused", "%(count)s unused", count) % {"count": count}
    return AccountRow(
        _("Recovery codes"),
        status if count else _("None left"),
        reverse("mfa_generate_recovery_codes"),
        _("Change"),
    )
