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
from streaming.hub import notify, user_group


@receiver(post_save, sender=User)
def on_user_saved(instance: User, update_fields: Any = None, **kwargs: Any) -> None:
    """The password may be another one, or the person no longer active."""
    if update_fields is None or {"password", "is_active"} & set(update_fields):
        _notify_session_change(instance.pk)
        if not instance.is_active:
            # After the commit: an ending locks streams first and people last, a save the person.
            # Where it fails, a worker does it within a second.
            transaction.on_commit(
                partial(lifecycle.stop_streams_of_owner, instance.pk), robust=True
            )


@receiver(pre_delete, sender=User)
def on_user_deletion(instance: User, **kwargs: Any) -> None:
    """What runs is ended first, so that no worker writes into what is just being deleted."""
    lifecycle.stop_streams_of_owner(instance.pk)


@receiver(post_delete, sender=Session)
def on_session_deleted(instance: Session, **kwargs: Any) -> None:
    """Signed out, here or from another device."""
    if user_id := instance.get_decoded().get(SESSION_KEY):
        _notify_session_change(int(user_id))


def _notify_session_change(user_id: int) -> None:
    transaction.on_commit(lambda: notify(user_group(user_id), {"sessions": True}))
