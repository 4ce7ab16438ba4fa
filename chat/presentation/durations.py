"""Durations in words."""

from __future__ import annotations

from django.utils.translation import gettext as _


def format_duration(seconds: float) -> str:
    """With tenths below ten seconds."""
    if seconds < 10:
        return _("%(seconds)s s") % {"seconds": f"{seconds:.1f}"}
    return _format_whole_seconds(round(seconds))


def format_reasoning_time(milliseconds: int | None) -> str:
    """The label over the reasoning. static/js/live/reasoning.js has the same words."""
    if milliseconds is None:
        return _("Thought")
    seconds = round(milliseconds / 1000)
    if seconds < 1:
        return _("Thought for a moment")
    return _("Thought for %(duration)s") % {"duration": _format_whole_seconds(seconds)}


def _format_whole_seconds(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    if not minutes:
        return _("%(seconds)s s") % {"seconds": seconds}
    return _("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": rest}
