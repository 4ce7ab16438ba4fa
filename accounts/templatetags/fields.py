"""How our templates draw a form's fields."""

from __future__ import annotations

from django import template
from django.forms import BoundField
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def without_placeholder(field: BoundField) -> SafeString:
    """The field's control without a placeholder: it would only repeat the label above it."""
    return field.as_widget(attrs={"placeholder": False})
