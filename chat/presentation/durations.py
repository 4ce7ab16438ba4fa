"""Durations in words."""

from __future__ import annotations

from django.utils.translation import gettext as _


def format_seconds(seconds: float) -> str:
    """Tenths below ten seconds, minutes from sixty on."""
    if seconds < 60:
        return _("%(seconds)s s") % {
            "seconds": f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"
        }
    return _format_minutes(round(seconds))


def format_reasoning_time(milliseconds: int | None) -> str:
    """The label over the reasoning. static/js/live-reply.js has the same words."""
    if milliseconds is None:
        return _("Thought")
    seconds = round(milliseconds / 1000)
    if seconds < 1:
        return _("Thought for a moment")
    duration = (
        _("%(seconds)s s") % {"seconds": seconds} if seconds < 60 else _format_minutes(seconds)
    )
    return _("Thought for %(duration)s") % {"duration": duration}


def _format_minutes(seconds: int) -> str:
    return _("%(minutes)s min %(seconds)s s") % {"minutes": seconds // 60, "seconds": seconds % 60}
