"""Which messages of a conversation a page shows, and the links to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, IntegerField, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Least
from django.db.models.sql.compiler import SQLCompiler
from django.urls import reverse

from chat.conversations.tree import Tree
from chat.models import Conversation, Message, ToolPart
from chat.presentation.message_views import MessageView, build_message_view
from chat.presentation.tool_part_views import MAX_SHOWN_TOOL_CHARS, load_tool_part_views
from chat.rendering.cache import MessageHtmlLoader

MAX_PAGE_MESSAGES = 50
"""Messages of a new page, and of each page of earlier ones."""
MAX_PAGE_BYTES = 1_000_000
"""Text of a page. Fifty of the longest messages would be hundreds of megabytes."""
MAX_BYTES_PER_CHAR = 4
MIN_PAGE_MESSAGES = 2
"""Messages of a page, however large they are. A question is shown with its reply, and every link
leads further."""


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Consecutive messages of a branch. `earlier_url` leads to those before them, `newest_url` to
    the end of the branch; each is empty where there is nothing more."""

    messages: list[MessageView]
    earlier_url: str = ""
    newest_url: str = ""
    branch_end_id: UUID | None = None


def load_branch_page(conversation: Conversation, target_id: UUID | None = None) -> MessagePage:
    """The end of the newest branch through the target, or of the conversation's current branch. The
    page begins at the target if that stands further up."""
    tree = Tree.from_conversation(conversation)
    target = target_id if target_id and target_id in tree else None
    path = tree.path_to(tree.find_newest_leaf(target) if target else conversation.current_leaf_id)
    end = path[-1] if path else None
    start = _find_page_start(path)
    if target is None or (at := path.index(target)) >= start:
        return replace(_build_page(tree, path, start), branch_end_id=end)
    shown = path[: at + _count_fitting(path[at:])]
    newest = "" if shown == path else f"{_build_conversation_url(conversation)}?leaf={end}"
    return replace(_build_page(tree, shown, at), newest_url=newest, branch_end_id=end)


def load_page_before(conversation: Conversation, before_id: UUID) -> MessagePage:
    """The messages before this one. Raises KeyError for a message of another conversation."""
    tree = Tree.from_conversation(conversation)
    path = tree.path_to(before_id)[:-1]
    return replace(
        _build_page(tree, path, _find_page_start(path)),
        newest_url=_build_conversation_url(conversation),
    )


def _find_page_start(path: Sequence[UUID]) -> int:
    return max(0, len(path) - _count_fitting(path[::-1][:MAX_PAGE_MESSAGES]))


def _count_fitting(ids: Sequence[UUID]) -> int:
    """How many of these messages, from the first on, fit on a page. Only sizes are read. The text
    of a growing reply is in the journal and does not count."""
    shown = Least(OctetLength("text"), Value(MAX_BYTES_PER_CHAR * MAX_SHOWN_TOOL_CHARS))
    parts = ToolPart.objects.filter(message=OuterRef("pk")).order_by().values("message")
    tool_bytes = Subquery(parts.annotate(total=Sum(shown)).values("total"))
    messages = Message.objects.filter(pk__in=ids).annotate(
        bytes=OctetLength("content") + OctetLength("reasoning") + Coalesce(tool_bytes, 0)
    )
    sizes = dict(messages.values_list("pk", "bytes"))
    totals = accumulate(sizes.get(id, 0) for id in ids)  # one may have been deleted since
    return max(MIN_PAGE_MESSAGES, sum(total <= MAX_PAGE_BYTES for total in totals))


class OctetLength(Func):
    """Bytes of a text. PostgreSQL knows them without reading a text stored outside its row."""

    function = "OCTET_LENGTH"
    arity = 1
    output_field = IntegerField()

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        """SQLite has OCTET_LENGTH since 3.43, which not every system has."""
        template = "LENGTH(CAST(%(expressions)s AS BLOB))"
        return self.as_sql(compiler, connection, template=template)


def _build_page(tree: Tree, path: Sequence[UUID], start: int) -> MessagePage:
    """A query for the messages, one for their HTML, and one for the text of each running reply; one
    more for the tool calls in a program's chat."""
    messages = Message.objects.select_related("stream", "conversation").in_bulk(path[start:])
    has_tools = any(message.conversation.door for message in messages.values())
    tool_parts = load_tool_part_views(path[start:]) if has_tools else {}
    loader = MessageHtmlLoader(path[start:])
    views = [build_message_view(messages[id], tree, loader, tool_parts) for id in path[start:]]
    loader.save_new_rows()
    if not start:
        return MessagePage(views)
    url = reverse("earlier", args=[views[0].conversation_id])
    return MessagePage(views, f"{url}?before={views[0].id}")


def _build_conversation_url(conversation: Conversation) -> str:
    return reverse("conversation", args=[conversation.pk])
