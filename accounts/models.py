"""The users of Holdfast, and their sealed keys for the providers of replies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from accounts.api_keys.seal_context import build_seal_context
from accounts.api_keys.statuses import KeyStatus as KeyStatus
from accounts.audit.models import AuditEvent as AuditEvent  # Django looks for models here
from accounts.connections.models import Connection as Connection
from accounts.deletion.models import AccountDeletion as AccountDeletion
from accounts.invitations.models import Invitation as Invitation
from accounts.invitations.models import InvitationUse as InvitationUse
from accounts.ledger.models import LedgerEntry as LedgerEntry
from accounts.managers import UserManager as UserManager
from accounts.sealing import SealedSecret, can_open
from accounts.secret_keys import is_any_of
from accounts.tokens.models import AccessToken as AccessToken
from accounts.user_limits.models import UserLimits as UserLimits
from streaming.providers.catalog.naming import MAX_MODEL_NAME_CHARS
from streaming.providers.types import ModelInfo


class User(AbstractBaseUser, PermissionsMixin):
    """A person. The e-mail address is the login. It is stored in lower case only, which makes the
    plain unique index case-insensitive."""

    email = models.EmailField(
        _("email address"),
        unique=True,
        error_messages={"unique": _("There is already an account with this address.")},
    )
    name = models.CharField(_("name"), max_length=150, blank=True)
    is_active = models.BooleanField(
        _("active"),
        default=True,
        help_text=_("Whether this person may sign in. Use this instead of deleting them."),
    )
    is_staff = models.BooleanField(
        _("staff"), default=False, help_text=_("Whether this person may use the administration.")
    )
    date_joined = models.DateTimeField(_("date joined"), default=timezone.now, editable=False)
    revision = models.BigIntegerField(
        default=0,
        editable=False,
        help_text=_(
            "Counts the changes of this person’s conversations, so that their open pages know "
            "whether they are up to date."
        ),
    )

    background_replies = models.BooleanField(
        _("resume from OpenAI after a crash"),
        default=False,
        help_text=_(
            "Whether OpenAI keeps a copy of each reply, from which it resumes after a crash. "
            "OpenAI then stores the conversation, and replies may take longer to begin."
        ),
    )

    shows_program_chats = models.BooleanField(
        _("show chats of programs"),
        null=True,
        blank=True,
        help_text=_("Whether the list shows the chats of programs that use the gateway."),
    )

    retention_days = models.PositiveIntegerField(
        _("delete chats after"),
        null=True,
        blank=True,
        help_text=_("Days without change. Empty: they are kept."),
    )

    # These are null at first: for another column SQLite copies the table, and leaves out those
    # that only processes of older versions know.
    renewed_session_hashes = models.CharField(  # noqa: DJ001
        max_length=200,
        null=True,
        blank=True,
        editable=False,
        help_text=_("The hashes of sessions before and after the password’s hash was renewed."),
    )

    session_generation = models.PositiveIntegerField(
        null=True, editable=False, help_text=_("Counts sign-outs of all others.")
    )

    objects: ClassVar[UserManager] = UserManager()

    SESSION_HASH_FIELDS: ClassVar = ("renewed_session_hashes", "session_generation")
    """Besides the password, for the engine, which reads few fields."""
    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            models.CheckConstraint(
                condition=Q(email=Lower("email")),
                name="user_email_in_lower_case",
                violation_error_message=_("Write the email address in lower case."),
            )
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        self.email = UserManager.normalize_email(self.email)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = UserManager.normalize_email(self.email)
        super().save(*args, **kwargs)

    def renew_hash(self, encoded: str) -> None:
        """Take another hash of the same password, which is not saved. Sessions from before live
        on."""
        before = self.get_session_auth_hash()
        self.password = encoded
        self.renewed_session_hashes = f"{before}:{self.get_session_auth_hash()}"

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Void in later generations. At first it is Django's hash, which older processes know."""
        plain: str = super()._get_session_auth_hash(secret)  # type: ignore[misc]
        salt = f"accounts.session_generation:{self.session_generation}"
        return (
            salted_hmac(salt, plain, secret=secret).hexdigest()
            if self.session_generation
            else plain
        )

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """A new password makes the hashes of an earlier renewal void, also if a process sets it
        that does not know of them."""
        older = list(super().get_session_auth_fallback_hash())
        yield from older
        before, _, after = (self.renewed_session_hashes or "").partition(":")
        if before and is_any_of(after, [self.get_session_auth_hash(), *older]):
            yield before

    def get_short_name(self) -> str:
        """The name that pages show."""
        return self.name or self.email.partition("@")[0]


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def owned_by(self, user: AbstractBaseUser) -> ApiKeyQuerySet:
        return self.filter(user_id=user.pk)


class ApiKey(models.Model):
    """A provider's key, encrypted. This row holds only what may be shown; only
    `keys.decrypt_for_call` and `decrypt_for_check` return the key itself, for the duration of a
    call."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="api_keys",
        verbose_name=_("user"),
    )
    provider = models.CharField(_("provider"), max_length=50)
    sealed = models.BinaryField()
    last_four = models.CharField(max_length=4)
    master_key_id = models.CharField(
        _("master key"), max_length=32, help_text=_("The id of the master key that decrypts it.")
    )
    created_at = models.DateTimeField(
        _("added"), help_text=_("When it was added or last replaced.")
    )
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    last_checked_at = models.DateTimeField(_("last checked"), null=True, blank=True)
    check_result = models.CharField(
        _("check result"), max_length=200, blank=True, choices=KeyStatus
    )
    left_out = models.PositiveIntegerField(
        db_default=0, help_text=_("Listed models beyond those that are offered.")
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["user", "provider"]
        constraints = [
            models.UniqueConstraint(fields=["user", "provider"], name="api_key_one_per_provider")
        ]

    def __str__(self) -> str:
        return f"{self.provider} …{self.last_four}"

    @property
    def can_be_opened(self) -> bool:
        sealed = SealedSecret(self.master_key_id, bytes(self.sealed))
        return can_open(sealed, *build_seal_context(self.user_id, self.provider))

    @property
    def is_accepted(self) -> bool:
        """Whether the provider accepted it when it was last checked."""
        return self.check_result == KeyStatus.VALID


class ListedModelQuerySet(models.QuerySet["ListedModel"]):
    def owned_by(self, user: AbstractBaseUser) -> ListedModelQuerySet:
        return self.filter(key__user_id=user.pk)


class ListedModel(models.Model):
    """A model that a provider's own list names for a key. It is deleted with the key. Data that the
    provider does not give is empty. `position` is its index in the list."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="listed")
    position = models.PositiveIntegerField(db_column="place")
    model_id = models.CharField(max_length=MAX_MODEL_NAME_CHARS)
    label = models.CharField(max_length=100, blank=True)
    context_window = models.PositiveIntegerField(null=True, blank=True)
    max_output = models.PositiveIntegerField(null=True, blank=True)
    availability = models.CharField(max_length=30, blank=True, db_column="lifecycle")
    shutdown = models.DateField(null=True, blank=True)

    objects = ListedModelQuerySet.as_manager()

    class Meta:
        ordering = ["key", "position"]
        constraints = [
            models.UniqueConstraint(fields=["key", "model_id"], name="listed_model_once_per_key")
        ]

    def __str__(self) -> str:
        return self.model_id

    def to_info(self) -> ModelInfo:
        return ModelInfo(
            self.model_id,
            self.label,
            self.context_window,
            self.max_output,
            self.availability,
            self.shutdown,
        )


class ListStatus(models.TextChoices):
    """The answer of a server that needs no key to the last request for its models."""

    UNKNOWN = "", _("Its models are not listed yet.")
    LISTED = "listed", _("It lists no models.")
    UNREADABLE = "unreadable", _("Its list of models could not be read.")
    UNREACHABLE = "down", _("It does not respond.")
    REFUSED = "refused", _("It refuses to list its models.")


class ServerList(models.Model):
    """The models that a server without a key lists, for everybody. Workers refresh it. After a
    failure the earlier list stays."""

    provider = models.CharField(max_length=50, unique=True)
    endpoint = models.CharField(
        max_length=64, help_text=_("Hash of the address. The row of another address is void.")
    )
    status = models.CharField(max_length=20, blank=True, choices=ListStatus)
    listed = models.JSONField(default=list, help_text=_("The fields of each model."))
    left_out = models.PositiveIntegerField(db_default=0)
    next_check_at = models.DateTimeField(
        help_text=_("No worker requests the list again before this time.")
    )

    def __str__(self) -> str:
        return self.provider


class CacheEntry(models.Model):
    """A row of the cache in accounts/cache.py, usually a rate limit."""

    key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField(help_text=_("JSON."))
    expires_at = models.FloatField(db_index=True, help_text=_("Seconds since 1970."))

    def __str__(self) -> str:
        return self.key
