"""The form of a new webhook."""

from __future__ import annotations

from django import forms

from chat.models import Webhook


class WebhookForm(forms.ModelForm):
    class Meta:
        model = Webhook
        fields = ("address",)
        widgets = {
            "address": forms.TextInput(
                attrs={"inputmode": "url", "autocapitalize": "none", "spellcheck": "false"}
            )
        }
