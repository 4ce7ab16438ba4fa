"""The form of a connection, for administrators. A stored key is never shown in it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.api_keys import keys
from accounts.connections.addresses import check_address
from accounts.connections.kinds import ConnectionKind
from accounts.connections.models import Connection
from accounts.outbound.errors import RefusedAddress
from accounts.people.fields import PeopleField


class ConnectionForm(forms.ModelForm):
    people = PeopleField(
        label=_("People"), required=False, help_text=_("The address of each person on a line.")
    )
    key = forms.CharField(
        label=_("API key"),
        required=False,
        strip=False,  # `keys.clean` checks it
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        help_text=_(
            "It is encrypted and can’t be viewed again. Empty keeps the one that is there."
        ),
    )
    remove_key = forms.BooleanField(
        label=_("Remove the key"),
        required=False,
        help_text=_("For a server that needs none."),
    )

    class Meta:
        model = Connection
        fields = [
            "name",
            "kind",
            "address",
            "enabled",
            "for_everybody",
            "people",
            "groups",
            "monthly_dollars",
            "monthly_tokens",
        ]

    def clean_key(self) -> str:
        typed: str = self.cleaned_data["key"]
        return keys.clean(typed) if typed else ""

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if "kind" in values and "address" in values:
            self._clean_address(values)
            self._clean_presence_of_key(values)
        return values

    def _clean_address(self, values: dict[str, Any]) -> None:
        if values["kind"] != ConnectionKind.COMPATIBLE:
            if values["address"]:
                self.add_error("address", _("Only a compatible server has an address here."))
            return
        if not values["address"]:
            self.add_error("address", _("Enter the address of the server."))
            return
        try:
            check_address(values["address"])
        except RefusedAddress as refusal:
            self.add_error("address", str(refusal.message))

    def _clean_presence_of_key(self, values: dict[str, Any]) -> None:
        """A key is never sent to another address than it was entered for."""
        typed, stored = values.get("key", ""), self.instance.has_key
        needs_key = values["kind"] != ConnectionKind.COMPATIBLE
        if needs_key and not typed and (values.get("remove_key") or not stored):
            self.add_error("key", _("Enter the key. This provider needs one."))
            return
        is_moved = {"kind", "address"} & set(self.changed_data)
        if stored and is_moved and not typed and not values.get("remove_key"):
            self.add_error(
                "key",
                _("Enter the key again: a key is only sent to the address it was entered for."),
            )
