"""Creates an account for a person whom another server knows."""

from __future__ import annotations

from allauth.account.internal.flows.signup import prevent_enumeration
from allauth.core.exceptions import SignupClosedException
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.internal.flows.signup import complete_social_signup
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts.email_addresses import is_email_taken
from accounts.invitations.links import InvitationGone, find_usable_invitation
from accounts.sign_up import SignUpClosed


def sign_up(request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
    """Raises SignupClosedException."""
    if is_email_taken(sociallogin.user.email):
        return _answer_taken(request, sociallogin)
    invitation = find_usable_invitation(request)
    if invitation and invitation.email and invitation.email != sociallogin.user.email:
        messages.error(request, _("This invitation is for another address."))
        return redirect("account_signup")
    try:
        get_adapter().save_user(request, sociallogin)
    except IntegrityError:  # the same person twice at once: the other request was first
        return _show_taken(request, sociallogin)
    except (SignUpClosed, InvitationGone) as error:
        raise SignupClosedException from error
    response: HttpResponse = complete_social_signup(request, sociallogin)
    return response


def _answer_taken(request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
    """Only somebody who owns the address may learn that it has an account. Where addresses are not
    confirmed at all, the form of the sign-up page says the same."""
    email = sociallogin.user.email
    is_owner = any(one.verified and one.email == email for one in sociallogin.email_addresses)
    if is_owner or settings.ACCOUNT_EMAIL_VERIFICATION != "mandatory":
        return _show_taken(request, sociallogin)
    response: HttpResponse = prevent_enumeration(request, email=email)
    return response


def _show_taken(request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
    name = sociallogin.provider.name
    return render(request, "socialaccount/address_taken.html", {"name": name}, status=409)
