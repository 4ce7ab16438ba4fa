"""Why a reply can't be started."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class ReplyRejected(Exception):
    """Raised before anything is written. `message` is a sentence for people; it says what to do."""

    def __init__(self, code: str, message: str | Promise) -> None:
        super().__init__(message)
        self.code, self._message = code, message

    @property
    def message(self) -> str:
        return str(self._message)


PAGE_OUT_OF_DATE = _("This page is out of date. Reload it, and send the message again.")
COMPLETE_REPLY = _("This reply is complete. There is nothing to continue.")
EMPTY_MESSAGE = _("Write a message first.")
DELETED_QUESTION = _("The message before this one was deleted.")
CONVERSATION_MOVED = ReplyRejected("moved", _("This chat continued in another tab."))
