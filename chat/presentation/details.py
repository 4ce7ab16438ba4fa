"""The details under a reply: how it came about, for people who want to know."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.template.defaultfilters import pluralize

from chat.models import Message
from chat.presentation.durations import format_seconds
from streaming.models import Stream
from streaming.providers.catalog import PROVIDERS


def build_details(message: Message, stream: Stream) -> tuple[tuple[str, str], ...]:
    """Pairs of a label and a value, the most important first, without empty values."""
    provider = PROVIDERS.get(message.provider)
    known = (
        ("Error", stream.error_class),
        ("Answer", stream.error_detail),
        ("Model", message.model),
        ("Provider", provider.name if provider else message.provider),
        ("First word", _format_duration(stream.created_at, stream.first_chunk_at, "after")),
        ("Took", _format_duration(stream.created_at, stream.ended_at)),
        ("Tokens", _format_tokens(message)),
        ("Cost", f"${message.cost.normalize():f}" if message.cost is not None else ""),
        ("Sent", describe_context(stream.arguments.get("context"))),
        ("Ended", message.finish_reason or stream.state),
        ("Carried on", _format_attempts(stream.attempts)),
        ("Continued", "from a reply that was cut" if stream.continues_id else ""),
        ("Its request", stream.upstream_id),
        ("Reply", str(stream.uuid)),
        ("At", f"{stream.ended_at:%Y-%m-%d %H:%M:%S} UTC" if stream.ended_at else ""),
    )
    return tuple((name, value) for name, value in known if value)


def describe_context(stats: dict[str, Any] | None) -> str:
    """What the model was sent: `stats` is the JSON of a ContextStats."""
    if not stats:
        return ""
    parts = [
        f"{stats['turns']} turn{pluralize(stats['turns'])}",
        f"{stats['left_out']} older ones left out" if stats["left_out"] else "",
        f"about {stats['tokens']:,} tokens",
        f"{stats['reserve']:,} kept for the reply",
        "taken for a follow-up" if stats["refers_back"] else "",
    ]
    return ", ".join(part for part in parts if part)


def _format_duration(start: datetime, end: datetime | None, word: str = "") -> str:
    return "" if end is None else f"{word} {format_seconds((end - start).total_seconds())}".strip()


def _format_tokens(message: Message) -> str:
    counts = (
        (message.input_tokens, "in"),
        (message.output_tokens, "out"),
        (message.reasoning_tokens, "of them thinking"),
    )
    return ", ".join(f"{count:,} {kind}" for count, kind in counts if count is not None)


def _format_attempts(count: int) -> str:
    return {0: "", 1: "once, after a crash"}.get(count, f"{count} times, after crashes")
