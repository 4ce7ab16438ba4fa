"""Whose a fresh installation is, and who may sign up.

Where only this machine is served, the first to sign up administers it: nobody else can reach it.
Where other hosts are named, whoever comes first could be anybody, so the first sign-up takes a
setup code that only the server's log shows.
"""

from __future__ import annotations

import base64
import ipaddress
import logging
import threading
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import DatabaseError, connections
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.limits import Limit
from accounts.models import User

logger = logging.getLogger(__name__)

WRONG_CODES = Limit("setup-code", 10, 10 * 60)
"""Of a client. A code has 100 random bits, so this is about noise more than about luck."""
THIS_MACHINE = {"localhost", "testserver"}
"""Host names that lead nowhere else. The second one is that of Django's test client."""


def serves_others() -> bool:
    """Whether ALLOWED_HOSTS or ORIGINS name more than this machine."""
    origins = [urlsplit(origin).hostname or "" for origin in settings.ORIGINS]
    return not all(_is_this_machine(host) for host in [*settings.ALLOWED_HOSTS, *origins])


def _is_this_machine(host: str) -> bool:
    host = host.lower().strip("[].")
    if host in THIS_MACHINE or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_claimed() -> bool:
    """Whether anybody has an account that can be signed in to. Where addresses must be confirmed,
    one that signed up and never did is none: nobody may hold the installation with an address
    that does not exist."""
    users = User.objects.all()
    if settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory":
        users = users.exclude(pk__in=_unconfirmed())
    return users.exists()


def _unconfirmed() -> QuerySet[User]:
    """Accounts that signed up, have not confirmed an address and were never signed in to. One of
    `createsuperuser` has no primary address before its first sign-in."""
    addresses = EmailAddress.objects.filter(user=OuterRef("pk"))
    return User.objects.filter(
        Exists(addresses.filter(primary=True)),
        ~Exists(addresses.filter(verified=True)),
        last_login=None,
    )


def take_rights_of_the_unconfirmed() -> None:
    """There is one administrator's seat, and a new one takes it. Call under the lock of sign-ups,
    when nobody has claimed the installation."""
    User.objects.filter(is_superuser=True).update(is_staff=False, is_superuser=False)


def needs_code() -> bool:
    """Whether the next sign-up is the first one and must show that it is the owner's."""
    return serves_others() and not is_claimed()


def is_sign_up_open() -> bool:
    """Whether a visitor may make an account. The first one always may be made."""
    return allows_everybody() or not is_claimed()


def allows_everybody() -> bool:
    """SIGNUP, or by default: open where only this machine is served."""
    return settings.SIGNUP == "open" or (not settings.SIGNUP and not serves_others())


def setup_code() -> str:
    """The code of this installation: the same for all its processes and after every restart, and
    another one once the database was made anew. It needs no place to be kept in."""
    made = MigrationRecorder.Migration.objects.filter(app="accounts", name="0001_initial")
    when = made.values_list("applied", flat=True).first()
    digest = salted_hmac("accounts.setup", f"{when:%Y%m%d%H%M%S%f}", algorithm="sha256").digest()
    text = base64.b32encode(digest).decode()[:20]
    return "-".join(text[start : start + 5] for start in range(0, 20, 5))


def is_setup_code(typed: str) -> bool:
    """Whether this is the code. Case, blanks and dashes do not matter."""
    return constant_time_compare(_plain(typed), _plain(setup_code()))


def _plain(code: str) -> str:
    return "".join(character for character in code if character.isalnum()).upper()


def announce() -> None:
    """Log the code and what to do with it, while nobody has an account. Logs nothing when the
    database can't be asked: whoever serves says that itself."""
    try:
        if needs_code():
            logger.warning(
                "Nobody has an account here yet. Open /accounts/signup/ and sign up with this "
                "setup code to become the administrator: %s",
                setup_code(),
            )
    except DatabaseError:
        return


def announce_soon() -> None:
    """Do it in a thread of its own: a server's event loop may be running already."""
    if serves_others():
        threading.Thread(target=_announce_and_leave, name="setup code", daemon=True).start()


def _announce_and_leave() -> None:
    try:
        announce()
    finally:
        connections.close_all()
