"""Addresses that an administrator gives to accounts: no address gets two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from accounts.email_addresses import is_email_taken
from accounts.models import UserManager
from accounts.sign_up import AddressTaken

if TYPE_CHECKING:
    Base = ModelAdmin[Any]
    AddressForm = forms.ModelForm[EmailAddress]
else:
    Base = object
    AddressForm = forms.ModelForm


class AddressTakenMixin(Base):
    """For a ModelAdmin that locks an address when it saves. Somebody may have signed up with it, or
    have confirmed it, after the form was checked."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            answer: HttpResponse = super().changeform_view(request, *args, **kwargs)
        except AddressTaken:
            messages.error(request, describe_taken_address())
            return HttpResponseRedirect(request.path)
        return answer


class EmailAddressForm(AddressForm):
    class Meta:
        model = EmailAddress
        fields = ("user", "email", "verified", "primary")

    def clean(self) -> dict[str, Any]:
        """An address that is not confirmed may stand in several accounts."""
        values = super().clean() or self.cleaned_data
        email = UserManager.normalize_email(values.get("email"))
        if values.get("verified") and is_email_taken(email, exclude=values.get("user")):
            raise ValidationError({"email": describe_taken_address()})
        return values


def describe_taken_address() -> str:
    return _("There is already an account with this address.")
