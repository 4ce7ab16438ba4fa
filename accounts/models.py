"""The users of Holdfast, and their sealed keys for the providers of replies."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    """Identifies users by their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").lower())

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Lower-case all of it, because “Ann@…” and “ann@…” are the same person."""
        return (email or "").strip().lower()


class User(AbstractBaseUser, PermissionsMixin):
    """A person. The e-mail address is the login. It is stored in lower case only, which makes the
    plain unique index case-insensitive."""

    email = models.EmailField(
        unique=True, error_messages={"unique": "There is already an account with this address."}
    )
    name = models.CharField(max_length=150, blank=True)
    is_active = models.BooleanField(
        default=True, help_text="Whether this person may sign in. Better than deleting them."
    )
    is_staff = models.BooleanField(default=False, help_text="Whether the admin is open to them.")
    date_joined = models.DateTimeField(default=timezone.now, editable=False)
    revision = models.BigIntegerField(
        default=0,
        editable=False,
        help_text="Counts the changes of this person's conversations, so that every page "
        "they have open can tell whether it is up to date.",
    )

    background_replies = models.BooleanField(
        default=False,
        help_text="Whether a provider that can keeps a copy of each reply, to go on from after a "
        "failure here. It stores the conversation there, and may delay the first words.",
    )

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(email=Lower("email")),
                name="user_email_in_lower_case",
                violation_error_message="Write the e-mail address in lower case.",
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

    def get_short_name(self) -> str:
        """Return the name that pages show."""
        return self.name or self.email.partition("@")[0]


class KeyStatus(models.TextChoices):
    """The provider's answer to a check of a key."""

    UNCHECKED = "", "Not checked"
    VALID = "good", "Accepted"
    INVALID = "invalid", "Not accepted"
    NO_PERMISSION = "no_permission", "Accepted, but may not list models"
    NO_CREDIT = "no_credit", "Accepted, but out of credit"
    UNREACHABLE = "down", "Not checked: the provider did not answer"


class ApiKey(models.Model):
    """A provider's key, encrypted. This row holds only what may be shown; only
    `keys.decrypt_for_call` and `decrypt_for_check` return the key itself, for the duration of a
    call."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys"
    )
    provider = models.CharField(max_length=50)
    sealed = models.BinaryField()
    last_four = models.CharField(max_length=4)
    master_key_id = models.CharField(
        max_length=32, help_text="The id of the master key that opens it."
    )
    created_at = models.DateTimeField(help_text="When it was added or last replaced.")
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_checked_at = models.DateTimeField(null=True, blank=True)
    check_result = models.CharField(max_length=200, blank=True, choices=KeyStatus)

    class Meta:
        verbose_name = "API key"
        ordering = ["user", "provider"]
        constraints = [
            models.UniqueConstraint(fields=["user", "provider"], name="api_key_one_per_provider")
        ]

    def __str__(self) -> str:
        return f"{self.provider} …{self.last_four}"

    @property
    def can_be_opened(self) -> bool:
        """Return whether the master key of this key still exists."""
        return self.master_key_id in settings.MASTER_KEYS


class ListedModel(models.Model):
    """A model that a provider's own list names for a key. It is deleted with the key. Data that the
    provider does not give is empty. `position` is its index in the list."""

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="listed")
    position = models.PositiveIntegerField(db_column="place")
    model_id = models.CharField(max_length=100)
    label = models.CharField(max_length=100, blank=True)
    context_window = models.PositiveIntegerField(null=True, blank=True)
    max_output = models.PositiveIntegerField(null=True, blank=True)
    lifecycle = models.CharField(max_length=30, blank=True)
    shutdown = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["key", "position"]
        constraints = [
            models.UniqueConstraint(fields=["key", "model_id"], name="listed_model_once_per_key")
        ]

    def __str__(self) -> str:
        return self.model_id


class CacheEntry(models.Model):
    """A row of the cache in accounts/cache.py, usually a rate limit."""

    key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField(help_text="JSON.")
    expires_at = models.FloatField(db_index=True, help_text="Seconds since 1970.")

    def __str__(self) -> str:
        return self.key
