"""Forms of codes and passkeys."""

from __future__ import annotations

from typing import Any

from allauth.core import context as current
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.factors import codes, passkeys, totp
from accounts.failed_sign_ins import log_failed_sign_in
from accounts.models import User

MAX_CODE_CHARS = 60
MAX_NAME_CHARS = 60
INCORRECT_CODE = _(
    "This code isn’t correct. A code of an app works for two minutes and once; check the clock of "
    "your phone."
)
TOO_MANY_CODES = _("Too many wrong codes. Wait a few minutes and try again, or use a passkey.")


def build_code_field(label: Any, help_text: Any = "") -> forms.CharField:
    attributes = {"autocomplete": "one-time-code", "autocapitalize": "off", "spellcheck": "false"}
    return forms.CharField(
        label=label,
        max_length=MAX_CODE_CHARS,
        help_text=help_text,
        widget=forms.TextInput(attrs=attributes),
    )


class CodeForm(forms.Form):
    """A code of the app, or a recovery code. Each attempt counts."""

    code = build_code_field(_("Code"), _("From your authenticator app, or a recovery code."))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.factor: Authenticator | None = None

    def clean_code(self) -> str:
        typed = str(self.cleaned_data["code"])
        try:
            self.factor = codes.use_code(current.request, self.user, typed)
        except codes.TooManyCodes:
            log_failed_sign_in("code", "too many attempts", self.user)
            raise forms.ValidationError(TOO_MANY_CODES) from None
        if self.factor is None:
            log_failed_sign_in("code", "wrong code", self.user)
            raise forms.ValidationError(INCORRECT_CODE)
        return typed


class AppSetupForm(forms.Form):
    """The first code of a new app, which proves that the app has the secret."""

    code = build_code_field(_("Code from the app"))

    def __init__(self, *args: Any, user: User, secret: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user, self.secret = user, secret

    def clean_code(self) -> str:
        typed = str(self.cleaned_data["code"])
        if totp.find_counter(self.secret, typed, after=0) is None:
            raise forms.ValidationError(INCORRECT_CODE)
        return typed


class CredentialForm(forms.Form):
    """The answer of the browser's passkeys, which a script of the page fills in."""

    credential = forms.CharField(
        widget=forms.HiddenInput,
        max_length=passkeys.MAX_CREDENTIAL_CHARS,
    )
    sentence: Any = passkeys.UNKNOWN_PASSKEY

    @property
    def problem(self) -> str:
        """The hidden field has no place for its own errors, and no person can mend one of them."""
        return str(self.sentence) if "credential" in self.errors else ""


class PasskeyForm(CredentialForm):
    """A passkey that is used. Without a user, it says whose it is."""

    def __init__(self, *args: Any, user: User | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_credential(self) -> Authenticator:
        try:
            return passkeys.complete_use(self.user, str(self.cleaned_data["credential"]))
        except forms.ValidationError:
            log_failed_sign_in("passkey", "not accepted", self.user)
            raise


class PasskeyNameForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=MAX_NAME_CHARS,
        help_text=_("To tell it from others, such as “Phone” or “Blue key”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class NewPasskeyForm(PasskeyNameForm, CredentialForm):
    """A passkey that was created. The browser has stored it already, so that an empty name is no
    reason to refuse it."""

    sentence = passkeys.NOT_CREATED

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        self.default_name = get_adapter().generate_authenticator_name(
            user, Authenticator.Type.WEBAUTHN
        )
        super().__init__(*args, **kwargs)
        self.fields["name"].initial = self.default_name
        self.fields["name"].required = False

    def clean_name(self) -> str:
        return self.cleaned_data["name"] or self.default_name

    def clean_credential(self) -> dict[str, Any]:
        return passkeys.complete_creation(str(self.cleaned_data["credential"]))
