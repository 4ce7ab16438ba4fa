"""The results of checking a key."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class KeyStatus(models.TextChoices):
    """The provider's answer to a check of a key."""

    UNCHECKED = "", _("Not checked")
    VALID = "good", _("Verified")
    INVALID = "invalid", _("Rejected")
    NO_PERMISSION = "no_permission", _("Accepted, but may not list models")
    NO_CREDIT = "no_credit", _("Accepted, but out of credit")
    UNREACHABLE = "down", _("Not checked: the provider did not respond")
    UNREADABLE = "unreadable", _("Not checked: the list of models could not be read")
