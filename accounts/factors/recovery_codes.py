"""Recovery codes. Each signs in once, in place of a passkey or a code of the app.

Only hashes are stored, and a code is shown once. allauth would store a seed, from which all codes
can be computed. A code has 118 random bits, which need no slow hash. Hashes remain valid without
the master key, so the codes help when the app's secret can't be decrypted any more.
"""

from __future__ import annotations

import hashlib
import secrets

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from accounts.models import User

CODE_COUNT = 10
CODE_CHARS, GROUP_CHARS = 24, 6
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without characters that look alike."""


@sensitive_variables("codes")
def create_recovery_codes(user: User) -> list[str]:
    """Return new codes, and make earlier ones void."""
    codes = [_create_code() for _ in range(CODE_COUNT)]
    salt = secrets.token_hex(16)
    data = {"salt": salt, "hashes": [hash_code(salt, code) for code in codes]}
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).delete()
        Authenticator.objects.create(user=user, type=Authenticator.Type.RECOVERY_CODES, data=data)
    return codes


def _create_code() -> str:
    text = "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS))
    return "-".join(text[i : i + GROUP_CHARS] for i in range(0, CODE_CHARS, GROUP_CHARS))


def hash_code(salt: str, code: str) -> str:
    """Case, blanks and dashes do not matter."""
    typed = "".join(character for character in code if character.isalnum()).lower()
    return hashlib.sha256(f"{salt}:{typed}".encode("utf-8", "surrogatepass")).hexdigest()


@sensitive_variables("code")
def use_recovery_code(user: User, code: str) -> Authenticator | None:
    """Return the authenticator if the code is one of its codes, and make the code void.
    Simultaneous requests use it once."""
    with transaction.atomic():
        rows = Authenticator.objects.select_for_update().filter(
            user=user, type=Authenticator.Type.RECOVERY_CODES
        )
        row = rows.first()
        if row is None:
            return None
        used = hash_code(row.data["salt"], code)
        if used not in row.data["hashes"]:
            return None
        row.data["hashes"].remove(used)
        row.save(update_fields=["data"])
    return row


def count_recovery_codes(user: User) -> int:
    """Return the number of codes that were not used."""
    row = Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).first()
    return len(row.data["hashes"]) if row else 0
