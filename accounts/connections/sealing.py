"""The sealed key of a connection."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from accounts.api_keys.keys import MIN_CHARS_TO_SHOW_END, SHOWN_CHARS
from accounts.connections.models import Connection
from accounts.rotation.registry import SealedColumns, register_sealed
from accounts.sealing import SealedSecret, open_sealed, seal_secret
from streaming.providers.redaction import Secret


@sensitive_variables("secret")
def set_key(connection: Connection, secret: str) -> None:
    """Seal the key into the row, which is not saved. Set kind and address before."""
    sealed = seal_secret(secret, *connection.seal_context)
    connection.sealed, connection.master_key_id = sealed.ciphertext, sealed.master_key_id
    is_long = len(secret) >= MIN_CHARS_TO_SHOW_END
    connection.last_four = secret[-SHOWN_CHARS:] if is_long else ""


def clear_key(connection: Connection) -> None:
    connection.sealed, connection.master_key_id, connection.last_four = b"", "", ""


def open_key(connection: Connection) -> Secret:
    """Empty for a server that needs none. Raises SealBroken."""
    if not connection.has_key:
        return Secret("")
    sealed = SealedSecret(connection.master_key_id, bytes(connection.sealed))
    return Secret(open_sealed(sealed, *connection.seal_context))


def register_sealed_connections() -> None:
    register_sealed(
        _("Keys of connections"),
        Connection,
        SealedColumns("sealed", "master_key_id"),
        lambda connection: connection.seal_context,
        ~Q(sealed=b""),
    )
