"""Sockets and streams outlive requests: whatever may end a session rings, so that sockets look
again, and who may not use this any more has nothing running."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver

from accounts.models import User
from streaming import lifecycle
from streaming.hub import ring, user_group


@receiver(post_save, sender=User)
def user_was_saved(instance: User, update_fields: Any = None, **kwargs: Any) -> None:
    """The password may be another one, or the person no longer active."""
    if update_fields is None or {"password", "is_active"} & set(update_fields):
        _look_again(instance.pk)
        if not instance.is_active:
            # After the commit: an ending locks streams first and people last, a save the person.
            # Where it fails, a worker does it within a second.
            transaction.on_commit(partial(lifecycle.stop_all_of, instance.pk), robust=True)


@receiver(pre_delete, sender=User)
def user_is_being_deleted(instance: User, **kwargs: Any) -> None:
    """What runs is ended first, so that no worker writes into what is just being deleted."""
    lifecycle.stop_all_of(instance.pk)


@receiver(post_delete, sender=Session)
def session_was_deleted(instance: Session, **kwargs: Any) -> None:
    """Signed out, here or from another device."""
    if user_id := instance.get_decoded().get(SESSION_KEY):
        _look_again(int(user_id))


def _look_again(user_id: int) -> None:
    transaction.on_commit(lambda: ring(user_group(user_id), {"sessions": True}))
