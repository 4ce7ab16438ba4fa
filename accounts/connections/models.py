"""The row of a connection."""

from __future__ import annotations

import secrets
from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.api_keys.statuses import KeyStatus
from accounts.connections.kinds import ConnectionKind
from accounts.sealing import SealedSecret, can_open

MAX_ADDRESS_CHARS = 500
SLUG_PREFIX = "connection-"


def make_slug() -> str:
    """The id of a compatible server's provider. It can't be guessed, so nobody learns which
    connections other people have."""
    return SLUG_PREFIX + secrets.token_hex(8)


class Connection(models.Model):
    """A provider that people use with a key of the installation.

    The key is sealed for this connection, its kind and its address, so it is never sent to another
    address. Only `connections.access` and `connections.checking` open it.
    """

    kind = models.CharField(_("kind"), max_length=20, choices=ConnectionKind)
    name = models.CharField(_("name"), max_length=100, help_text=_("People see it."))
    slug = models.CharField(max_length=50, unique=True, default=make_slug, editable=False)
    address = models.CharField(
        _("address"),
        max_length=MAX_ADDRESS_CHARS,
        blank=True,
        help_text=_("Of a compatible server, such as https://llm.example.org/v1."),
    )
    sealed = models.BinaryField(default=b"")
    master_key_id = models.CharField(
        _("master key"),
        max_length=32,
        blank=True,
        help_text=_("The id of the master key that decrypts its key."),
    )
    last_four = models.CharField(max_length=4, blank=True)

    enabled = models.BooleanField(_("enabled"), default=True)
    for_everybody = models.BooleanField(
        _("for everybody"), default=False, help_text=_("Otherwise only for those chosen here.")
    )
    # Processes of an older version delete accounts, and don't know these tables.
    people = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, verbose_name=_("people"), db_constraint=False
    )
    groups = models.ManyToManyField(
        Group, blank=True, verbose_name=_("groups"), db_constraint=False
    )
    monthly_dollars = models.DecimalField(
        _("dollars per person and month"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal())],
        help_text=_(
            "Empty for no limit. Models without a known price then need a limit in tokens."
        ),
    )
    monthly_tokens = models.PositiveBigIntegerField(
        _("tokens per person and month"),
        null=True,
        blank=True,
        help_text=_("Those of prompts and replies together. Empty for no limit."),
    )

    created_at = models.DateTimeField(_("added"), db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    last_checked_at = models.DateTimeField(_("last checked"), null=True, blank=True)
    check_result = models.CharField(_("check result"), max_length=20, blank=True, choices=KeyStatus)
    listed = models.JSONField(
        default=list, blank=True, help_text=_("The fields of each model that it lists.")
    )
    left_out = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        ordering: ClassVar[list[str]] = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=ConnectionKind.COMPATIBLE) ^ Q(address=""),
                name="connection_address_if_compatible",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def provider(self) -> str:
        """The id in the catalog."""
        return self.slug if self.kind == ConnectionKind.COMPATIBLE else self.kind

    @property
    def has_key(self) -> bool:
        return bool(self.sealed)

    @property
    def can_be_opened(self) -> bool:
        """Whether it needs no key, or the master key of its key is there."""
        sealed = SealedSecret(self.master_key_id, bytes(self.sealed))
        return not self.has_key or can_open(sealed, *self.seal_context)

    @property
    def seal_context(self) -> tuple[str, str, str, str]:
        return "holdfast connection", self.slug, self.kind, self.address

    @property
    def dollar_limit(self) -> Decimal | None:
        """With the limit of the person for whom `connections.access` loaded it, which replaces its
        own."""
        of_person: Decimal | None = getattr(self, "person_dollars", None)
        return self.monthly_dollars if of_person is None else of_person

    @property
    def token_limit(self) -> int | None:
        of_person: int | None = getattr(self, "person_tokens", None)
        return self.monthly_tokens if of_person is None else of_person

    @property
    def has_limit(self) -> bool:
        return self.dollar_limit is not None or self.token_limit is not None
