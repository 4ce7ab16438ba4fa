"""A form field for text of several lines."""

from __future__ import annotations

from typing import Any

from django import forms


class MultilineTextField(forms.CharField):
    """Text as it was typed, but with `\\n` for line ends. Browsers send `\\r\\n`."""

    widget = forms.Textarea

    def __init__(self, **options: Any) -> None:
        super().__init__(strip=False, **options)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Without `maxlength`: a browser would cut a longer text silently."""
        return {}

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
