"""Notifies open connections and workers, which outlive requests, of every event that may end a
session. Connections check their session again, and a user who loses access has no running
streams."""

from __future__ import annotations

from functools import partial
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver

from accounts.models import User
from streaming import lifecycle
from streaming.hub import build_sessions_notification, notify, user_group

FIELDS_OF_SESSIONS = frozenset({"password", "is_active", "session_generation"})


@receiver(post_save, sender=User)
def on_user_saved(instance: User, update_fields: Any = None, **kwargs: Any) -> None:
    """The password or the generation may have changed, or the person may be inactive now."""
    if update_fields is None or FIELDS_OF_SESSIONS & set(update_fields):
        notify_session_change(instance.pk)
        if not instance.is_active:
            # After the commit: an ending locks streams first and people last, a save locks the
            # person first. If it fails, a worker does it within a second.
            transaction.on_commit(
                partial(lifecycle.stop_streams_of_owner, instance.pk), robust=True
            )


@receiver(pre_delete, sender=User)
def on_user_deletion(instance: User, **kwargs: Any) -> None:
    """End running streams first, so that no worker writes into rows that are being deleted."""
    lifecycle.stop_streams_of_owner(instance.pk)


@receiver(post_delete, sender=Session)
def on_session_deleted(instance: Session, **kwargs: Any) -> None:
    """The user signed out, here or on another device."""
    UserSession.objects.filter(session_key=instance.session_key).delete()
    if user_id := instance.get_decoded().get(SESSION_KEY):
        notify_session_change(int(user_id))


def notify_session_change(user_id: int) -> None:
    transaction.on_commit(lambda: notify(user_group(user_id), build_sessions_notification()))
