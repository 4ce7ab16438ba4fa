"""The form of a provider's key."""

from __future__ import annotations

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _

from accounts.api_keys import keys
from streaming.providers.catalog import Provider


class KeyForm(forms.Form):
    """A provider's key, to be added or replaced. The page never shows the typed key again, not
    even if it was refused."""

    key = forms.CharField(
        strip=False,  # `keys.clean` checks it
        required=False,  # `keys.clean` has a better message
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
        self.fields["key"].label = _("%(provider)s API key") % {"provider": provider.name}

    def clean_key(self) -> str:
        return keys.clean(self.cleaned_data["key"])
