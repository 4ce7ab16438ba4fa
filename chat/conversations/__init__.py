"""Changes of a whole conversation: rename, pin, mark as read, delete, restore."""

from chat.conversations.actions import (
    UNDO_PERIOD,
    delete,
    mark_read,
    purge_deleted,
    register_tasks,
    rename,
    restore,
    set_pinned,
    soft_delete,
)

__all__ = [
    "UNDO_PERIOD",
    "delete",
    "mark_read",
    "purge_deleted",
    "register_tasks",
    "rename",
    "restore",
    "set_pinned",
    "soft_delete",
]
