"""Durations in words."""

from __future__ import annotations


def format_seconds(seconds: float) -> str:
    """Tenths below ten seconds, minutes from sixty on."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def format_reasoning_time(milliseconds: int | None) -> str:
    """The label over the reasoning. static/js/live-reply.js has the same words."""
    if milliseconds is None:
        return "Thought"
    seconds = round(milliseconds / 1000)
    if seconds < 1:
        return "Thought for a moment"
    if seconds < 60:
        return f"Thought for {seconds} s"
    return f"Thought for {seconds // 60} min {seconds % 60} s"
