"""Changes of a whole conversation: rename, pin, mark as read, delete, restore."""

from chat.conversations.actions import (
    UNDO_PERIOD,
    is_restorable,
    mark_read,
    purge_deleted,
    register_tasks,
    rename,
    restore,
    set_pinned,
    soft_delete,
)
from chat.conversations.deletion import delete

__all__ = [
    "UNDO_PERIOD",
    "delete",
    "is_restorable",
    "mark_read",
    "purge_deleted",
    "register_tasks",
    "rename",
    "restore",
    "set_pinned",
    "soft_delete",
]
