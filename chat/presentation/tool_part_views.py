"""Tool calls and outputs as a page shows them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models.functions import Substr
from django.utils.translation import gettext as _

from chat.models import ToolPart

MAX_SHOWN_TOOL_CHARS = 4_000
"""Of the arguments of a call, or of an output. A message may have more than a hundred of them."""


@dataclass(frozen=True, slots=True)
class ToolPartView:
    """A tool call with its arguments, or an output. Of a long text the beginning is shown."""

    label: str
    text: str


def load_tool_part_views(message_ids: Collection[UUID]) -> Mapping[UUID, list[ToolPartView]]:
    """Those of each message that has any. Only the beginning of a text leaves the database: cut
    there by characters, without a look at what they are."""
    views: dict[UUID, list[ToolPartView]] = defaultdict(list)
    parts = ToolPart.objects.filter(message__in=message_ids).order_by("pk")
    beginning = Substr("text", 1, MAX_SHOWN_TOOL_CHARS + 1)
    for id, kind, name, text in parts.values_list("message", "kind", "name", beginning):
        is_call = kind == ToolPart.PartKind.CALL
        label = _("Called %(name)s") % {"name": name} if is_call else _("Output of a tool")
        is_long = len(text) > MAX_SHOWN_TOOL_CHARS
        views[id].append(ToolPartView(label, text[:MAX_SHOWN_TOOL_CHARS] + "…" * is_long))
    return views
