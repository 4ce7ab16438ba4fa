"""The page of linked accounts, with which a person signs in too."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.account.adapter import get_adapter
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache

from accounts.account_page.rows import AccountRow, register_row
from accounts.allauth_views import has_recent_confirmation, redirect_to_reauthenticate
from accounts.audit.events import record_event
from accounts.decorators import UserRequest, sign_in_and_return, signed_in
from accounts.models import User
from accounts.sign_in_ways import LAST_WAY, can_sign_in_without
from accounts.social.configuration import SignInServer, find_server
from accounts.social.events import ACCOUNT_UNLINKED
from accounts.social.form_origins import build_button


@dataclass(frozen=True, slots=True)
class LinkedAccount:
    id: int
    server_name: str
    shown_name: str


@signed_in(sign_in_and_return)
@never_cache
def linked_accounts_page(request: UserRequest) -> HttpResponse:
    if request.method == "POST":
        return unlink_account(request)
    context = {
        "linked": list_linked_accounts(request.user),
        "buttons": [build_button(server) for server in list_unlinked_servers(request.user)],
    }
    return render(request, "socialaccount/connections.html", context)


def list_linked_accounts(user: User) -> list[LinkedAccount]:
    """A server may be gone from the configuration. Its accounts can still be removed."""
    return [
        LinkedAccount(account.pk, get_server_name(account.provider), _find_shown_name(account))
        for account in SocialAccount.objects.filter(user=user).order_by("pk")
    ]


def get_server_name(id: str) -> str:
    server = find_server(settings.SIGN_IN_SERVERS, id)
    return server.name if server else id


def _find_shown_name(account: SocialAccount) -> str:
    known = account.extra_data
    return str(known.get("email") or known.get("username") or known.get("name") or "")


def list_unlinked_servers(user: User) -> list[SignInServer]:
    linked = set(SocialAccount.objects.filter(user=user).values_list("provider", flat=True))
    return [server for server in settings.SIGN_IN_SERVERS if server.id not in linked]


def unlink_account(request: UserRequest) -> HttpResponse:
    page = redirect("socialaccount_connections")
    if not has_recent_confirmation(request):
        return redirect_to_reauthenticate(request, page.url)
    id = request.POST.get("linked", "")
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=request.user.pk)
        account = SocialAccount.objects.filter(
            user=user, pk=int(id) if id.isascii() and id.isdigit() and len(id) < 19 else None
        ).first()
        if account is None:
            return page
        if not can_sign_in_without(user, account):
            messages.error(request, LAST_WAY)
            return page
        account.delete()
        record_event(ACCOUNT_UNLINKED, user, request=request, server=account.provider)
    _notify_owner(request, account)
    return page


def _notify_owner(request: UserRequest, account: SocialAccount) -> None:
    name = get_server_name(account.provider)
    get_adapter().send_notification_mail(
        "socialaccount/email/account_disconnected", request.user, {"server": name}
    )
    messages.success(request, _("Your account of %(server)s is unlinked.") % {"server": name})


def has_linkable_accounts(request: HttpRequest) -> bool:
    return bool(settings.SIGN_IN_SERVERS) or (
        SocialAccount.objects.filter(user_id=request.user.pk).exists()
    )


@register_row("linked-accounts")
def build_linked_accounts_row(request: UserRequest) -> AccountRow | None:
    if not has_linkable_accounts(request):
        return None
    count = SocialAccount.objects.filter(user=request.user).count()
    status = ngettext("%(count)d account", "%(count)d accounts", count) % {"count": count}
    return AccountRow(
        _("Linked accounts"),
        status if count else _("None"),
        reverse("socialaccount_connections"),
        _("Change"),
    )
