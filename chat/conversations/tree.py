"""The messages of a conversation as a tree. Versions of a message stand beside each other: they
have the same parent. Nothing is ever replaced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat.models import Conversation


@dataclass(frozen=True, slots=True)
class Node:
    """A message without its text."""

    id: UUID
    parent_id: UUID | None
    created_at: datetime


class Tree:
    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes: dict[UUID, Node] = {}
        self._children: dict[UUID | None, list[UUID]] = {}
        for node in sorted(nodes, key=lambda node: (node.created_at, node.id)):
            self._nodes[node.id] = node
            self._children.setdefault(node.parent_id, []).append(node.id)

    @classmethod
    def from_conversation(cls, conversation: Conversation) -> Tree:
        rows = conversation.messages.values_list("id", "parent_id", "created_at")
        return cls(Node(*row) for row in rows)

    def __contains__(self, id: UUID) -> bool:
        return id in self._nodes

    def path_to(self, message_id: UUID | None) -> list[UUID]:
        path: list[UUID] = []
        while message_id is not None:
            path.append(message_id)
            message_id = self._nodes[message_id].parent_id
        return path[::-1]

    def list_versions(self, id: UUID) -> list[UUID]:
        """Oldest first, this message included."""
        return self._children[self._nodes[id].parent_id]

    def find_newest_leaf(self, id: UUID) -> UUID:
        while children := self._children.get(id):
            id = children[-1]
        return id
