"""Passwords that are easily guessed, and that no list of common ones has.

docs/security.md lists the words. Django's own rules refuse common passwords and those that are like
the person's address or name.
"""

from __future__ import annotations

import re

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

PRODUCT_WORDS = frozenset({"holdfast"})
HOST_WORD = re.compile(r"[a-z]{4,}")
MIN_OTHER_CHARS = 8
MIN_DIGITS = 12


class ContextWordValidator:
    """Refuses a password that is little more than the name of the product or of a host of this
    installation."""

    def validate(self, password: str, user: object = None) -> None:
        rest = typed = password.casefold()
        for word in sorted(list_context_words(), key=len, reverse=True):
            rest = rest.replace(word, "")
        if rest != typed and len(rest) < MIN_OTHER_CHARS:
            raise ValidationError(self.get_help_text(), code="password_has_context_word")

    def get_help_text(self) -> str:
        return _(
            "Your password can’t be the name of this site with a few characters more. Add at least "
            "%(count)s other characters, or leave the name out."
        ) % {"count": MIN_OTHER_CHARS}


class DigitsValidator:
    """Allows digits alone, but not as few as a date or a phone number has."""

    def validate(self, password: str, user: object = None) -> None:
        if password.isdecimal() and len(password) < MIN_DIGITS:
            raise ValidationError(self.get_help_text(), code="password_too_few_digits")

    def get_help_text(self) -> str:
        return _("A password of digits alone needs at least %(count)s of them.") % {
            "count": MIN_DIGITS
        }


def list_context_words() -> frozenset[str]:
    hosts = (host.casefold() for host in settings.ALLOWED_HOSTS)
    return PRODUCT_WORDS | {word for host in hosts for word in HOST_WORD.findall(host)}
