"""Decides who administers a fresh installation, and who may sign up.

If only this machine is served, the first person who signs up at it becomes the administrator. A
remote client could be anybody, whatever its Host header says, so its first sign-up needs a setup
code that only the server's log shows.
"""

from __future__ import annotations

import base64
import ipaddress
import logging
import threading
import time
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Exists, OuterRef, QuerySet
from django.db.utils import Error
from django.http import HttpRequest

from accounts.invitations.links import find_usable_invitation
from accounts.models import User
from accounts.rate_limits import RateLimit
from accounts.secret_keys import compute_codes, is_any_of

logger = logging.getLogger(__name__)

SETUP_CODE_LIMIT = RateLimit("setup-code", 10, 10 * 60)
"""Attempts of one client. A code has 100 random bits, so the limit prevents noise more than
guessing."""
LOCAL_HOSTS = {"localhost", "testserver"}
"""Host names of this machine. The second one is that of Django's test client."""

PROXY_HEADER_PREFIXES = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_FORWARDED",
    "HTTP_X_REAL_IP",
    "HTTP_X_CLIENT_IP",
    "HTTP_X_ORIGINAL",
    "HTTP_TRUE_CLIENT_IP",
    "HTTP_CF_",
)
"""Beginnings of the names of headers that proxies add."""
DATABASE_RETRY_SECONDS = 5.0
"""Pause between two attempts to reach a database that does not answer yet."""


def has_public_hosts() -> bool:
    origins = [urlsplit(origin).hostname or "" for origin in settings.TRUSTED_ORIGINS]
    return not all(_is_local_host(host) for host in [*settings.ALLOWED_HOSTS, *origins])


def _is_local_host(host: str) -> bool:
    host = host.lower().strip("[].")
    return host in LOCAL_HOSTS or host.endswith(".localhost") or _is_loopback(host)


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def is_local_request(request: HttpRequest) -> bool:
    """Return whether a person at this machine sent the request. Others can claim any host, and may
    reach a server that names only this machine: directly, or through a proxy here. So the
    connection counts, and every sign of a proxy; HTTP/1.0 is one, because nginx still uses it and
    browsers don't."""
    if (
        has_public_hosts()
        or settings.TRUSTED_PROXY_COUNT
        or not _is_loopback(request.META.get("REMOTE_ADDR", ""))
    ):
        return False
    if getattr(request, "scope", {}).get("http_version") == "1.0":
        return False
    return not any(name.startswith(PROXY_HEADER_PREFIXES) for name in request.META)


def has_any_account() -> bool:
    """Return whether there is an account that can sign in. If addresses must be confirmed, an
    account that never confirmed one does not count: otherwise a mistyped address would lock the
    installation."""
    users = User.objects.all()
    if settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory":
        users = users.exclude(pk__in=_unconfirmed_users())
    return users.exists()


def _unconfirmed_users() -> QuerySet[User]:
    """Accounts that signed up, have not confirmed an address and never signed in. An account of
    `createsuperuser` has no primary address before its first sign-in."""
    addresses = EmailAddress.objects.filter(user=OuterRef("pk"))
    return User.objects.filter(
        Exists(addresses.filter(primary=True)),
        ~Exists(addresses.filter(verified=True)),
        last_login=None,
    )


def demote_unconfirmed_admins() -> None:
    """Remove the rights of an administrator who never confirmed the address; the new account
    replaces it. Call under the lock of sign-ups while the installation has no account."""
    User.objects.filter(is_superuser=True).update(is_staff=False, is_superuser=False)


def needs_setup_code(request: HttpRequest) -> bool:
    return not is_local_request(request) and not has_any_account()


def is_sign_up_open(request: HttpRequest) -> bool:
    """The first account may always be created."""
    return (
        find_sign_up_mode(request) == "open"
        or find_usable_invitation(request) is not None
        or not has_any_account()
    )


def find_sign_up_mode(request: HttpRequest) -> str:
    """Return `open`, `invite` or `closed`. SIGNUP decides. By default, sign-ups are open to people
    at this machine if the server serves only this machine, and others need an invitation: without a
    mail server, the form of an open sign-up tells everybody which addresses have an account."""
    return settings.SIGNUP or ("open" if is_local_request(request) else "invite")


def compute_setup_code() -> str:
    """Return the code of this installation. All its processes compute the same code, also after a
    restart; a new database has another one. It is stored nowhere."""
    return _list_setup_codes()[0]


def _list_setup_codes() -> list[str]:
    """One for each secret key, newest first: a log may show that of an older one."""
    made = MigrationRecorder.Migration.objects.filter(app="accounts", name="0001_initial")
    applied = made.values_list("applied", flat=True).first()
    when = f"{applied:%Y%m%d%H%M%S%f}" if applied else "unknown"  # a database assembled by hand
    return [_format_setup_code(digest) for digest in compute_codes("accounts.setup", when)]


def _format_setup_code(digest: bytes) -> str:
    text = base64.b32encode(digest).decode()[:20]
    return "-".join(text[start : start + 5] for start in range(0, 20, 5))


def is_valid_setup_code(typed: str) -> bool:
    """Case, blanks and dashes do not matter."""
    return is_any_of(_normalize_code(typed), [*map(_normalize_code, _list_setup_codes())])


def _normalize_code(code: str) -> str:
    return "".join(character for character in code if character.isalnum()).upper()


def log_setup_code() -> None:
    """Log the code and its use, while there is no account. Raises django.db.Error."""
    if has_any_account():
        return
    if has_public_hosts() or settings.TRUSTED_PROXY_COUNT:
        sentence = (
            "There is no account yet. Open /accounts/signup/ and sign up with this setup "
            "code to become the administrator: %s"
        )
    else:
        sentence = (
            "There is no account yet. The first person who signs up becomes the administrator; "
            "the setup code is only needed from another machine: %s"
        )
    logger.warning(sentence, compute_setup_code())


def log_setup_code_in_thread() -> None:
    """Run in a thread of its own, because the server's event loop may be running already."""
    threading.Thread(target=log_setup_code_when_possible, name="setup code", daemon=True).start()


def log_setup_code_when_possible() -> None:
    """Wait for the database, which may start, or get its tables, after this server."""
    while True:
        try:
            return log_setup_code()
        except Error:
            time.sleep(DATABASE_RETRY_SECONDS)
        finally:
            connections.close_all()
