"""Deletes accounts. A request deactivates the account at once; workers then delete its data in
small batches, and the account last.

Each batch is a transaction of its own, so that no other writer waits for long, and a worker that is
killed leaves nothing half done: another one continues with what is still there.

A request that began before the deactivation may still write. So the account itself stays for a
while, and what came meanwhile is deleted with it. Otherwise such a request would be a server error,
or leave rows that name an account which is gone.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from threading import Lock, Thread

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.audit import kinds as audit_kinds
from accounts.audit.events import empty_events, record_event
from accounts.deletion import mails
from accounts.deletion.models import AccountDeletion
from accounts.deletion.registry import DataKind, list_kinds
from accounts.email_addresses import list_user_emails
from accounts.models import User
from streaming import lifecycle
from streaming.outage import outage_monitor
from streaming.sources import register_periodic_task

ROWS_PER_BATCH = 500
MAX_PAUSE_SECONDS = 0.2
"""After each batch the worker waits as long as the batch took, but no longer than this: on SQLite
all other writers waited for it."""
ADMINISTRATORS = Q(is_superuser=True, is_staff=True, is_active=True)
REQUEST_GRACE = timedelta(minutes=1)
"""How long a request may take that began before the account was deactivated."""
CLAIM_DURATION = timedelta(seconds=30)
"""A worker that was killed is replaced after this time."""
CLAIM_RENEWAL_SECONDS = 5.0

logger = logging.getLogger(__name__)
_running = Lock()


class LastAdministrator(Exception):
    """Nobody else could administer the installation. The message is for people."""


class ClaimLost(Exception):
    """Another worker continues this deletion."""


def request_deletion(user: User, *, actor: User, request: HttpRequest | None = None) -> None:
    """Deactivate the account and hand its deletion to the workers. A second request changes
    nothing. A mail reports it, with the network address of the request. Raises
    LastAdministrator."""
    with transaction.atomic():
        require_other_administrator(user)
        _deletion, is_new = AccountDeletion.objects.get_or_create(
            user=user, defaults={"actor_id": actor.pk}
        )
        if not is_new:
            return
        record_event(audit_kinds.DELETION_REQUESTED, user, actor=actor, request=request)
        user.is_active = False
        user.set_unusable_password()
        # The signal of this change closes sockets and stops streams.
        user.save(update_fields=["is_active", "password"])
    if request is not None:
        mails.send_requested_mail(user)


def require_other_administrator(*users: User) -> None:
    """Raises LastAdministrator if nobody else is one. Locks all of them until the transaction
    ends, so that the last two can't delete each other at once."""
    with transaction.atomic():
        remaining = lock_administrators(*users) - {user.pk for user in users}
    if not remaining and any(u.is_superuser and u.is_staff and u.is_active for u in users):
        raise LastAdministrator(
            _(
                "This is the only active administrator of the installation. Make somebody else an "
                "administrator first."
            )
        )


def lock_administrators(*users: User) -> set[int]:
    """Return the ids of those who can open the admin and do everything in it. Locks them and these
    people until the transaction ends, in one order."""
    people = User.objects.filter(ADMINISTRATORS | Q(pk__in=[user.pk for user in users]))
    locked = list(people.order_by("pk").select_for_update(no_key=True))
    return {user.pk for user in locked if user.is_superuser and user.is_staff and user.is_active}


def is_deletion_pending(user: User) -> bool:
    return AccountDeletion.objects.filter(user_id=user.pk).exists()


# In the workers


def start_erasure() -> None:
    """Continue deletions in a thread, because a large account takes a while and the worker's
    threads have other work."""
    if AccountDeletion.objects.exists() and _running.acquire(blocking=False):
        Thread(target=_erase_in_thread, name="account deletion", daemon=True).start()


def _erase_in_thread() -> None:
    try:
        erase_accounts()
    finally:
        connection.close()
        _running.release()


def erase_accounts() -> None:
    """Delete all accounts whose deletion was requested, unless another worker is at it."""
    for deletion in AccountDeletion.objects.order_by("requested_at"):
        if not _try_claim(deletion.pk):
            continue
        try:
            AccountErasure(deletion.pk).run()
        except ClaimLost:
            logger.warning("Another worker continues the deletion of account %s", deletion.pk)
        except Exception as error:
            if outage_monitor.is_outage(error):
                return
            logger.exception("Account %s could not be deleted; trying again", deletion.pk)


def _try_claim(user_id: int) -> bool:
    is_free = Q(claimed_until=None) | Q(claimed_until__lt=Now())
    rows = AccountDeletion.objects.filter(is_free, user_id=user_id)
    return bool(rows.update(claimed_until=Now() + CLAIM_DURATION))


class AccountErasure:
    """One run of a worker that has claimed the deletion of this account."""

    def __init__(self, user_id: int) -> None:
        self._user_id = user_id
        self._claim_renewed_at = time.monotonic()

    def run(self) -> None:
        # Somebody may have activated it again, such as with SQL.
        User.objects.filter(pk=self._user_id).update(is_active=False)
        lifecycle.stop_streams_of_owner(self._user_id)
        were_over = self._requests_are_over()
        self._delete_data()
        if not were_over and self._requests_are_over():  # a large account takes longer than they do
            self._delete_data()
            were_over = True
        if were_over:
            _delete_account(self._user_id)
        else:
            self._claim_until(F("requested_at") + REQUEST_GRACE)

    def _delete_data(self) -> None:
        for kind in list_kinds():
            while self._delete_batch(kind):
                self._renew_claim()

    def _requests_are_over(self) -> bool:
        rows = AccountDeletion.objects.filter(user_id=self._user_id)
        return rows.filter(requested_at__lte=Now() - REQUEST_GRACE).exists()

    def _delete_batch(self, kind: DataKind) -> int:
        began = time.monotonic()
        with transaction.atomic():
            count = kind.delete_of_account(self._user_id, ROWS_PER_BATCH)
        if count:
            pause(min(time.monotonic() - began, MAX_PAUSE_SECONDS))
        return count

    def _renew_claim(self) -> None:
        if time.monotonic() - self._claim_renewed_at < CLAIM_RENEWAL_SECONDS:
            return
        self._claim_renewed_at = time.monotonic()
        self._claim_until(Now() + CLAIM_DURATION)

    def _claim_until(self, time: CombinedExpression) -> None:
        rows = AccountDeletion.objects.filter(user_id=self._user_id)
        if not rows.update(claimed_until=time):
            raise ClaimLost


def pause(seconds: float) -> None:
    time.sleep(seconds)


def _delete_account(user_id: int) -> None:
    with transaction.atomic():
        user = User.objects.select_for_update().filter(pk=user_id).first()
        if user is None:  # an older process deleted it
            AccountDeletion.objects.filter(user_id=user_id).delete()
            return
        deletion = AccountDeletion.objects.get(user_id=user_id)
        actor = User(pk=deletion.actor_id)  # it may be gone by now
        addresses = list_user_emails(user)
        record_event(audit_kinds.DELETION_COMPLETED, user, actor=actor)
        user.delete()
        while empty_events(user_id, ROWS_PER_BATCH):
            pass
    mails.send_completed_mail(addresses)


def register_tasks() -> None:
    register_periodic_task(start_erasure)
