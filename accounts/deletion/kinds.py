"""The kinds of data of accounts, and the models that hold nothing of an account."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet

from accounts.audit.events import empty_events
from accounts.deletion.registry import (
    DataKind,
    Stage,
    delete_rows,
    delete_selected,
    register_data,
    register_model_without_account,
)
from accounts.deletion.sessions import delete_sessions
from accounts.email_addresses import list_all_emails
from accounts.models import (
    AccessToken,
    ApiKey,
    Connection,
    Invitation,
    InvitationUse,
    LedgerEntry,
    User,
    UserLimits,
)
from streaming import journal
from streaming.models import Stream


def _delete_streams(user_id: int, limit: int) -> int:
    return journal.delete_batch(Stream.objects.filter(owner_id=user_id), limit)


def _select_log_entries(user_id: int) -> QuerySet[LogEntry]:
    """Entries by this person, and entries about the account."""
    users = ContentType.objects.get_for_model(User)
    about_account = Q(content_type=users, object_id=str(user_id))
    return LogEntry.objects.filter(Q(user_id=user_id) | about_account)


def _delete_invitations(user_id: int, limit: int) -> int:
    to_account = Invitation.objects.filter(email__in=list_all_emails(user_id))
    used = InvitationUse.objects.filter(user_id=user_id)
    return delete_rows(used, limit) + delete_rows(to_account, limit)


def _leave_to_account(user_id: int, limit: int) -> int:
    """`erasure` deletes the row of the account last."""
    return 0


register_data(
    DataKind(
        "streams",
        Stage.STREAMS,
        ("streaming.Stream", "streaming.StreamChunk", "streaming.FoldedJournal"),
        "They are stopped first; then they are deleted with their chunks.",
        _delete_streams,
    )
)
register_data(
    DataKind(
        "keys",
        Stage.SECRETS,
        ("accounts.ApiKey", "accounts.ListedModel"),
        "With the models that the provider lists for them.",
        delete_selected(lambda id: ApiKey.objects.filter(user_id=id)),
    )
)
register_data(
    DataKind(
        "access tokens",
        Stage.SECRETS,
        ("accounts.AccessToken",),
        "A program that has one comes in no more.",
        delete_selected(lambda id: AccessToken.objects.filter(user_id=id)),
    )
)
register_data(
    DataKind(
        "sign-in factors",
        Stage.SECRETS,
        ("mfa.Authenticator",),
        "By the account.",
        delete_selected(lambda id: Authenticator.objects.filter(user_id=id)),
    )
)
register_data(
    DataKind(
        "linked accounts",
        Stage.SECRETS,
        ("socialaccount.SocialAccount", "socialaccount.SocialToken"),
        "With their tokens.",
        delete_selected(lambda id: SocialAccount.objects.filter(user_id=id)),
    )
)
register_data(
    DataKind(
        "ledger",
        Stage.TRACES,
        ("accounts.LedgerEntry",),
        "After the streams, whose endings still write entries.",
        delete_selected(lambda id: LedgerEntry.objects.filter(user_id=id)),
    )
)
register_data(
    DataKind(
        "limits",
        Stage.TRACES,
        ("accounts.UserLimits",),
        "The limits that an administrator gave to this person.",
        delete_selected(lambda id: UserLimits.objects.filter(user_id=id)),
    )
)
register_data(
    DataKind(
        "connections",
        Stage.TRACES,
        ("accounts.Connection_people",),
        "The person is taken out of the connections; the connections stay.",
        delete_selected(lambda id: Connection.people.through.objects.filter(user_id=id)),
    )
)
register_data(
    DataKind(
        "invitations",
        Stage.TRACES,
        ("accounts.Invitation", "accounts.InvitationUse"),
        "The use that made the account, and those to its addresses. Others only lose their maker.",
        _delete_invitations,
    )
)
register_data(
    DataKind(
        "sessions",
        Stage.TRACES,
        ("sessions.Session", "usersessions.UserSession"),
        "All sessions are read, because the table has no column for the account.",
        delete_sessions,
    )
)
register_data(
    DataKind(
        "admin log",
        Stage.TRACES,
        ("admin.LogEntry",),
        "Entries by this person, and entries about the account.",
        delete_selected(_select_log_entries),
    )
)
register_data(
    DataKind(
        "audit events",
        Stage.TRACES,
        ("accounts.AuditEvent",),
        "They stay until AUDIT_DAYS have passed, with nothing but the ids of accounts.",
        empty_events,
    )
)
register_data(
    DataKind(
        "addresses",
        Stage.ACCOUNT,
        ("account.EmailAddress", "account.EmailConfirmation"),
        "Last, because the mail that confirms the deletion goes to them.",
        _leave_to_account,
    )
)
register_data(
    DataKind(
        "account",
        Stage.ACCOUNT,
        (
            "accounts.User",
            "accounts.User_groups",
            "accounts.User_user_permissions",
            "accounts.AccountDeletion",
        ),
        "Last, in one transaction with what still refers to it.",
        _leave_to_account,
    )
)

for _label, _reason in {
    "accounts.CacheEntry": "Limits and caches; a key names an account only as a hash.",
    "accounts.Connection": "Keys of the installation. The people stand in Connection_people.",
    "accounts.Connection_groups": "The groups of a connection.",
    "accounts.ServerList": "Models of servers without a key, for everybody.",
    "auth.Group": "The members stand in accounts.User_groups.",
    "auth.Group_permissions": "The permissions of a group.",
    "auth.Permission": "Names of actions in the admin.",
    "contenttypes.ContentType": "Names of models.",
    "socialaccount.SocialApp": "Settings of sign-in services, for everybody.",
    "streaming.Worker": "Processes of this installation.",
}.items():
    register_model_without_account(_label, _reason)
