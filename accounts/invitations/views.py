"""The page behind the link of an invitation."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from accounts.invitations.links import SESSION_KEY, find_invitation_by_token


@never_cache
def open_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Redirect to the sign-up page at once: no page of ours has the link as its address, so no
    request sends it as the Referer. Opening uses nothing, because mail scanners open links too."""
    if request.user.is_authenticated:
        messages.info(request, _("You already have an account. Sign out to use an invitation."))
        return redirect("home")
    invitation = find_invitation_by_token(token)
    if invitation is None:
        response = render(request, "account/invitation_unknown.html", status=404)
        response.headers["Referrer-Policy"] = "no-referrer"
        return response
    if invitation.find_refusal():
        # The page of a refused invitation needs no session, which anybody could open in numbers.
        response = render(
            request,
            "account/signup_closed.html",
            {"refusal": invitation.find_refusal()},
            status=410,
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        return response
    request.session[SESSION_KEY] = invitation.pk
    return redirect("account_signup")
