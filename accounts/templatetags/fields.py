"""Renders the fields of a form for our templates."""

from __future__ import annotations

from django import template
from django.forms import BoundField
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def without_placeholder(field: BoundField) -> SafeString:
    """A placeholder would only repeat the label."""
    return field.as_widget(attrs={"placeholder": False})
