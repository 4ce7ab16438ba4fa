"""What people type: accounts and keys."""

from __future__ import annotations

from allauth.account.forms import SignupForm
from django import forms
from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect

from accounts import keys
from accounts.models import User
from streaming.providers.catalog import Provider


class SignUpForm(SignupForm):
    def is_first(self) -> bool:
        """Whether the page should say that this account will be the administrator's."""
        return not User.objects.exists()

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        try:
            return super().try_save(request)
        except IntegrityError:
            # The same address twice at once, as by a double click: the other one was first.
            messages.info(request, "There is already an account with this address.")
            return None, redirect("account_login")


class KeyForm(forms.Form):
    """A provider's key, to be added or replaced. What was typed is never shown again, not
    even when it was refused."""

    key = forms.CharField(
        strip=False,  # keys.clean decides
        required=False,  # keys.clean says it better
        widget=forms.PasswordInput(
            render_value=False,
            attrs={
                "autocomplete": "off",
                "autocapitalize": "none",
                "spellcheck": "false",
                "required": True,
            },
        ),
    )

    def __init__(self, provider: Provider, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id=f"id_{provider.id}_%s")
        self.fields["key"].label = f"{provider.name} API key"

    def clean_key(self) -> str:
        return keys.clean(self.cleaned_data["key"])


class RepliesForm(forms.ModelForm):
    """How this person's replies are asked for."""

    class Meta:
        model = User
        fields = ["background_replies"]
        labels = {"background_replies": "Let OpenAI keep a copy of each reply"}
        help_texts = {"background_replies": ""}  # the page says it at length
