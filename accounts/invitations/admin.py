"""Invitations for administrators: they make one, see its link once, and revoke it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.absolute_urls import build_absolute_url
from accounts.invitations.links import (
    DEFAULT_DAYS,
    MAX_DAYS,
    MAX_USES,
    create_invitation,
    revoke_invitation,
)
from accounts.invitations.mails import build_invitation_mail
from accounts.invitations.models import Invitation


class InvitationForm(forms.ModelForm):
    days = forms.IntegerField(
        label=_("Days"), initial=DEFAULT_DAYS, min_value=1, max_value=MAX_DAYS
    )
    max_uses = forms.IntegerField(label=_("Accounts"), initial=1, min_value=1, max_value=MAX_USES)
    by_mail = forms.BooleanField(
        label=_("Send it by mail"),
        required=False,
        help_text=_("The link is only in the mail, so it confirms the address."),
    )

    class Meta:
        model = Invitation
        fields = ["email", "max_uses"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not settings.HAS_MAIL_SERVER:
            del self.fields["by_mail"]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("by_mail") and not values.get("email"):
            self.add_error("email", _("Enter the address that the mail goes to."))
        return values


@admin.register(Invitation)
class InvitationAdmin(admin.ModelAdmin):
    form = InvitationForm
    list_display = ("id", "email", "state", "use_count", "max_uses", "expires_at", "made_by")
    list_filter = ("expires_at",)
    list_select_related = ("made_by",)
    actions = ("revoke",)

    def get_fieldsets(self, request: HttpRequest, obj: Invitation | None = None) -> Any:
        names = ["email", "days", "max_uses", *(["by_mail"] if settings.HAS_MAIL_SERVER else [])]
        return ((None, {"fields": names}),)

    @admin.display(description=_("state"))
    def state(self, invitation: Invitation) -> str | Promise:
        return invitation.find_refusal() or _("Can be used")

    def has_change_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, invitation: Invitation, form: Any, change: bool
    ) -> None:
        values = form.cleaned_data
        made, path = create_invitation(
            email=values["email"],
            days=values["days"],
            uses=values["max_uses"],
            is_mailed=bool(values.get("by_mail")),
            made_by=request.user,  # type: ignore[arg-type]
            request=request,
        )
        invitation.pk = made.pk
        invitation.refresh_from_db()
        link = build_absolute_url(request, path)
        if invitation.is_mailed:
            build_invitation_mail(invitation, link).send()
        request.invitation_link = link  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: Invitation, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the link in the answer itself. A redirect would have to store it somewhere."""
        link = request.invitation_link  # type: ignore[attr-defined]
        context = self.admin_site.each_context(request) | {
            "title": _("Invitation"),
            "link": "" if obj.is_mailed else link,
            "opts": self.opts,
            "invitation": obj,
        }
        response = render(request, "admin/invitation_created.html", context)
        response.headers["Cache-Control"] = "no-store, private"
        return response

    @admin.action(description=_("Revoke selected invitations"), permissions=["add"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        for invitation in queryset:
            revoke_invitation(invitation, request)
        self.message_user(request, _("The invitations are revoked."), messages.SUCCESS)
