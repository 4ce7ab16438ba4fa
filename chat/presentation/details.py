"""The details under a reply: how it came about, for people who want to know."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chat.models import Message
from chat.presentation.durations import format_duration
from chat.replies.usage import read_usage
from streaming.models import Stream
from streaming.providers.catalog import PROVIDERS

LABELS = {
    "error": gettext_lazy("Error code"),
    "error_detail": gettext_lazy("Provider’s answer"),
    "model": gettext_lazy("Model"),
    "provider": gettext_lazy("Provider"),
    "first_token": gettext_lazy("First token"),
    "duration": gettext_lazy("Duration"),
    "tokens": gettext_lazy("Tokens"),
    "cost": gettext_lazy("Cost"),
    "cache": gettext_lazy("Prompt cache"),
    "context": gettext_lazy("Context"),
    "finish_reason": gettext_lazy("Finish reason"),
    "attempts": gettext_lazy("Resumed"),
    "continues": gettext_lazy("Continues"),
    "upstream_id": gettext_lazy("Request ID"),
    "reply_id": gettext_lazy("Reply ID"),
    "finished": gettext_lazy("Finished"),
}


def build_details(message: Message, stream: Stream) -> tuple[tuple[str, str], ...]:
    """Pairs of a label and a value, the most important first, without empty values."""
    provider = PROVIDERS.get(message.provider)
    values = {
        "error": stream.error_class,
        "error_detail": stream.error_detail,
        "model": message.model,
        "provider": provider.name if provider else message.provider,
        "first_token": _format_duration(stream.created_at, stream.first_chunk_at),
        "duration": _format_duration(stream.created_at, stream.ended_at),
        "tokens": _format_tokens(message),
        "cost": _format_dollars(message.cost) if message.cost is not None else "",
        "cache": _format_cache(stream),
        "context": describe_context(stream.arguments.get("context")),
        "finish_reason": message.finish_reason or stream.state,
        "attempts": _format_attempts(stream.attempts),
        "continues": _("a reply that was cut off") if stream.continues_id else "",
        "upstream_id": stream.upstream_id,
        "reply_id": str(stream.uuid),
        "finished": format_time(stream.ended_at) if stream.ended_at else "",
    }
    return tuple((str(LABELS[name]), value) for name, value in values.items() if value)


def describe_context(stats: dict[str, Any] | None) -> str:
    """The size of the request to the model: `stats` is the JSON of a ContextStats."""
    if not stats:
        return ""
    turns, left_out = stats["turns"], stats["left_out"]
    parts = [ngettext("%(count)d turn", "%(count)d turns", turns) % {"count": turns}]
    if left_out:
        omitted = ngettext(
            "%(count)d older turn left out", "%(count)d older turns left out", left_out
        )
        parts.append(omitted % {"count": left_out})
    parts.append(_("about %(count)s tokens") % {"count": f"{stats['tokens']:,}"})
    parts.append(_("%(count)s reserved for the reply") % {"count": f"{stats['reserve']:,}"})
    if stats["refers_back"]:
        parts.append(_("treated as a follow-up"))
    return ", ".join(parts)


def format_time(moment: datetime) -> SafeString:
    """By the reader's clock; static/js/clock.js writes it the same way."""
    text = date_format(timezone.localtime(moment), "j F Y, H:i:s T")
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), text)


def _format_duration(start: datetime, end: datetime | None) -> str:
    return "" if end is None else format_duration((end - start).total_seconds())


def _format_tokens(message: Message) -> str:
    parts = []
    if message.input_tokens is not None:
        parts.append(_("%(count)s in") % {"count": f"{message.input_tokens:,}"})
    if message.output_tokens is not None:
        parts.append(_("%(count)s out") % {"count": f"{message.output_tokens:,}"})
    if message.reasoning_tokens:
        parts.append(_("%(count)s of them reasoning") % {"count": f"{message.reasoning_tokens:,}"})
    return ", ".join(parts)


def _format_cache(stream: Stream) -> str:
    """The tokens of the prompt that the provider had in its cache or added to it, and what the
    former cost less."""
    counted, parts = read_usage(stream), []
    if counted.cached:
        read = ngettext("%(count)s token re-read", "%(count)s tokens re-read", counted.cached)
        parts.append(read % {"count": f"{counted.cached:,}"})
    if savings := stream.arguments.get("cache_savings"):
        parts.append(_("%(dollars)s saved") % {"dollars": _format_dollars(Decimal(savings))})
    if counted.cache_written:
        added = ngettext("%(count)s token added", "%(count)s tokens added", counted.cache_written)
        parts.append(added % {"count": f"{counted.cache_written:,}"})
    return ", ".join(parts)


def _format_dollars(dollars: Decimal) -> str:
    return f"${dollars.normalize():f}"


def _format_attempts(count: int) -> str:
    if not count:
        return ""
    times = ngettext("once, after a crash", "%(count)d times, after crashes", count)
    return times % {"count": count}
