"""The pages of a person's webhooks."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables

from accounts.account_page.rows import AccountRow, register_row
from accounts.allauth_views import has_recent_confirmation, redirect_to_reauthenticate
from accounts.decorators import UserRequest, require_post_or_redirect, sign_in_and_return, signed_in
from accounts.outbound.errors import RefusedAddress
from chat import access
from chat.models import Webhook
from chat.webhooks import actions
from chat.webhooks.forms import WebhookForm
from chat.webhooks.log import read_log

ENTRIES_PER_PAGE = 50


@register_row("webhooks")
def build_webhooks_row(request: UserRequest) -> AccountRow:
    count = Webhook.objects.owned_by(request.user).count()
    status = ngettext("%(count)s webhook", "%(count)s webhooks", count) % {"count": count}
    return AccountRow(
        _("Webhooks"), status if count else _("None"), reverse("webhooks"), _("Manage")
    )


@signed_in(sign_in_and_return)
@never_cache
@sensitive_variables("secret")
def webhooks_page(request: UserRequest) -> HttpResponse:
    """List the webhooks, and create one after a recent confirmation. The answer to the form shows
    the secret: a redirect would have to store it somewhere."""
    if request.method == "POST" and not has_recent_confirmation(request):
        return redirect_to_reauthenticate(request, request.path)
    form, secret, status = WebhookForm(request.POST or None), "", 200
    if request.method == "POST":
        status = 422
        if form.is_valid() and (secret := _create_webhook(request, form)):
            form, status = WebhookForm(), 200
    context = {
        "form": form,
        "new_secret": secret,
        "webhooks": Webhook.objects.owned_by(request.user),
    }
    return render(request, "settings/webhooks.html", context, status=status)


def _create_webhook(request: UserRequest, form: WebhookForm) -> str:
    """Return the secret. Empty if the form has an error now."""
    try:
        return actions.create_webhook(request.user, form.cleaned_data["address"], request)[1]
    except RefusedAddress as refusal:
        form.add_error("address", str(refusal.message))
    except actions.WebhookExists:
        form.add_error("address", actions.WEBHOOK_EXISTS)
    except actions.TooManyWebhooks:
        form.add_error(None, actions.describe_too_many_webhooks())
    except actions.TooManyChanges:
        form.add_error(None, actions.TOO_MANY_CHANGES)
    return ""


@signed_in(sign_in_and_return)
@never_cache
def webhook_page(request: UserRequest, id: UUID) -> HttpResponse:
    """A webhook with the log of its deliveries."""
    return _render_webhook(request, access.get_webhook_or_404(request.user, id), "")


def _render_webhook(request: UserRequest, webhook: Webhook, new_secret: str) -> HttpResponse:
    entries, has_more = read_log(webhook, ENTRIES_PER_PAGE)
    context = {
        "webhook": webhook,
        "entries": entries,
        "has_more": has_more,
        "new_secret": new_secret,
    }
    return render(request, "settings/webhook.html", context)


@require_post_or_redirect("webhook")
@signed_in()
@never_cache
@sensitive_variables("secret")
def renew_secret(request: UserRequest, id: UUID) -> HttpResponse:
    """After a recent confirmation. The answer shows the secret: a redirect would have to store it
    somewhere."""
    webhook = access.get_webhook_or_404(request.user, id)
    if not has_recent_confirmation(request):
        return redirect_to_reauthenticate(request, reverse("webhook", args=[id]))
    try:
        secret = actions.renew_secret(webhook, request)
    except Webhook.DoesNotExist:
        raise Http404 from None
    except actions.TooManyChanges:
        messages.error(request, actions.TOO_MANY_CHANGES)
        return redirect("webhook", id=id)
    return _render_webhook(request, webhook, secret)


@require_post_or_redirect("webhook")
@signed_in()
def switch_webhook(request: UserRequest, id: UUID) -> HttpResponse:
    webhook = access.get_webhook_or_404(request.user, id)
    try:
        actions.switch_webhook(webhook, request.POST.get("active") == "yes", request)
    except actions.TooManyChanges:
        messages.error(request, actions.TOO_MANY_CHANGES)
    return redirect("webhook", id=id)


@require_post_or_redirect("webhook")
@signed_in()
def delete_webhook(request: UserRequest, id: UUID) -> HttpResponse:
    """This needs no password: an owner who has just noticed a thief should not have to look for it
    first."""
    actions.delete_webhook(access.get_webhook_or_404(request.user, id), request)
    messages.success(request, _("The webhook is deleted."))
    return redirect("webhooks")


@signed_in()
def send_delivery_again(request: UserRequest, id: UUID) -> HttpResponse:
    """By POST; a restored tab asks by GET and gets to the log."""
    delivery = access.get_delivery_or_404(request.user, id)
    if request.method == "POST":
        try:
            actions.send_again(delivery)
        except actions.TooManyWaiting:
            messages.error(request, actions.TOO_MANY_WAITING)
        else:
            messages.success(request, _("It is sent again in a moment."))
    return redirect("webhook", id=delivery.webhook_id)
